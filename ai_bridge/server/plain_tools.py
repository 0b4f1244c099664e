"""The tools that neither read nor wait: each makes one core call and returns a text."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ai_bridge.agents import policy
from ai_bridge.agents.peers import all_peers
from ai_bridge.agents.resolve import resolve_writer
from ai_bridge.clients import project
from ai_bridge.decisions import opening, tally
from ai_bridge.errors import BridgeError, EmptyBody
from ai_bridge.health import mail
from ai_bridge.history import search, threads
from ai_bridge.history.search import Query
from ai_bridge.inbox import framing
from ai_bridge.mailboxes import attachments, trace, unread
from ai_bridge.mailboxes.card_files import CardFiles
from ai_bridge.mailboxes.compose import DEFAULT_SUBJECT, Draft, check_subject, compose_and_drop
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import context
from ai_bridge.sending import limits
from ai_bridge.server import rendering
from ai_bridge.server.client_session import Caller, Session
from ai_bridge.text import abridge, printable, shorten

Words = dict[str, Any]
_DEFAULT_LIMIT = 20
# Characters of a query that its answer repeats.
_ASKED = 200


# --- write ----------------------------------------------------------------------------------------------


def _send(session: Session, caller: Caller, words: Words) -> str:
    if not words["body"]:
        raise EmptyBody()
    return _sent(session, caller, words, words["body"], words.get("context", []))


def _context(session: Session, caller: Caller, words: Words) -> str:
    paths = words["paths"]
    subject = shorten(printable(f"context: {', '.join(paths)}"), 200)
    note = words.get("note", "")
    return _sent(session, caller, {"subject": subject, **words}, note, paths)


def _sent(session: Session, caller: Caller, words: Words, body: str, paths: list[str]) -> str:
    me, where, loaded = session.who(caller).address, session.mailboxes, session.settings
    in_reply_to, thread, hops = _answering(session, caller, words.get("reply_to"))
    to = words["to"] if isinstance(words["to"], list) else [words["to"]]
    draft = Draft(to, body, words.get("subject", DEFAULT_SUBJECT), in_reply_to, thread, hops=hops)
    if "decide" in words:
        opening.begin(where, me, draft, words["decide"], words.get("voters"))
    elif "voters" in words:
        raise BridgeError(what='voters go with decide: say decide="majority" or decide="unanimous"')
    check_subject(draft.subject)
    limits.check(where, me, [draft], loaded)
    if paths:  # every refusal has been raised by now
        draft.body, draft.extra[context.HEADER] = attachments.with_context(
            where.outbox(me), body, paths, loaded, project.folder(), by_model=True
        )
    sent = compose_and_drop(where, me, [draft], loaded.max_message_bytes)[0]
    session.shown.add([(me, sent.id)])
    more = (
        f'\nThe decision is open: peer_status(thread="{sent.id}") shows how it stands.' if "decide" in words else ""
    )
    return f"Sent to {', '.join(sent.recipients)}. ID: {sent.id}{_holding(where, me, sent.recipients)}{more}"


def _answering(session: Session, caller: Caller, id_: str | None) -> tuple[str | None, str | None, int | None]:
    """Return `In-Reply-To`, `Thread` and `Hops` for an answer to the message of that ID; three None without an ID."""
    return threads.reply_headers(session.mailboxes, id_, session.view(caller)) if id_ else (None, None, None)


def _holding(where: Tree, me: str, recipients: list[str]) -> str:
    """Return a line with the recipients whose cards hold mail from me, as far as their cards can be read; else ''."""
    cards, holding = policy.Policies(CardFiles(where)), []
    for one in recipients:
        with suppress(OSError):  # it is sent anyway, and the router checks the card again
            holding += [one] if cards.verdict(one, me) == policy.HOLD else []
    return f"\nHeld for {', '.join(holding)} until a person lets it pass: tell your user." if holding else ""


def _acknowledge(session: Session, caller: Caller, words: Words) -> str:
    me = session.who(caller).address
    done = unread.acknowledge(session.mailboxes, me, words["ids"], session.view(caller))
    return f"Marked as read: {', '.join(done)}"


# --- look -----------------------------------------------------------------------------------------------


def _list(session: Session, caller: Caller, words: Words) -> str:
    me = session.who(caller).address
    return rendering.agents(all_peers(session.mailboxes), me, _budget(session, caller))


def _history(session: Session, caller: Caller, words: Words) -> str:
    me, where = session.who(caller).address, session.mailboxes
    peer, thread, text = words.get("peer"), words.get("thread"), words.get("query", "")
    if peer is not None:
        peer = resolve_writer(where, peer)
    everybodys = thread is not None or "query" in words
    query = Query(
        agent=None if everybodys else me,
        peer=peer,
        thread=thread,
        words=text,
        limit=int(words.get("limit", _DEFAULT_LIMIT)),
        before=words.get("before"),
    )
    found = search.find(where, query)
    if thread is not None and not found.places:
        trace.find(where, thread)  # raises if there is no such message
    text, shown = rendering.history(found, _asked(words, peer), _budget(session, caller))
    session.shown.add(shown)
    return text


def _budget(session: Session, caller: Caller) -> int:
    return framing.Budget(session.settings.max_chars, caller.client).chars


def _asked(words: Words, peer: str | None) -> str:
    """Describe in words which messages the caller asked for."""
    parts = [f"from or to {peer}" if peer else ""]
    parts += [f"in the thread {printable(words['thread'])}" if "thread" in words else ""]
    parts += [f"with {abridge(printable(words['query']), _ASKED)}" if "query" in words else ""]
    return " ".join(part for part in parts if part) or "from or to you"


def _status(session: Session, caller: Caller, words: Words) -> str:
    where = session.mailboxes
    if "thread" in words:
        return rendering.tally(tally.tally(where, words["thread"]))
    if "id" in words:
        places = trace.find(where, words["id"], session.view(caller))
        return "\n".join(_place_line(where, place) for place in places)
    me = session.who(caller)
    report = mail.examine(where, session.settings, [me.address])[0]
    late = f" {report.delay}." if report.delay else ""
    return (
        f"You are {me.address} ({me.why}).\nMailboxes: {printable(where.path)}\n"
        f"Router: {report.router or 'none running; your reads deliver your mail'}\n"
        f"Unread for you: {report.unread.count}.{late} Sent by you: {report.dropped.count} waiting for delivery, "
        f"{report.malformed.count} malformed, {report.held.count} held for a person's approval."
    )


def _place_line(where: Tree, place: trace.Place) -> str:
    why = mail.why(where, place)
    reason = f": {printable(why)}" if why else ""
    return f"{printable(place.name)} to {place.recipient or '?'}: {place.state} since {place.at}{reason}"


PLAIN = {
    "peer_send": _send,
    "peer_context": _context,
    "peer_list": _list,
    "peer_history": _history,
    "peer_status": _status,
    "acknowledge_messages": _acknowledge,
}
