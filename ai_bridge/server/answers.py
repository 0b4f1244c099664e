"""What the tools that neither read nor wait answer: one core call each, as a text."""

from __future__ import annotations

from typing import Any

from ai_bridge import context, decide, health, inbox, index, presence, trace
from ai_bridge.errors import BridgeError
from ai_bridge.index import Query
from ai_bridge.mailboxes import Mailboxes
from ai_bridge.peers import peers
from ai_bridge.send import DEFAULT_SUBJECT, Draft, resolve, send
from ai_bridge.server import looking
from ai_bridge.server.session import Caller, Session
from ai_bridge.text import printable

Words = dict[str, Any]
_DEFAULT_LIMIT = 20


# --- write ----------------------------------------------------------------------------------------------


def _send(session: Session, caller: Caller, words: Words) -> str:
    if not words["body"]:
        raise BridgeError(what="the body is empty: say what the other agent should know")
    return _sent(session, session.who(caller).address, words, words["body"], words.get("context", []))


def _context(session: Session, caller: Caller, words: Words) -> str:
    paths = words["paths"]
    subject = f"context: {', '.join(paths)}".replace("\n", " ")[:200]
    note = words.get("note", "")
    return _sent(session, session.who(caller).address, {"subject": subject, **words}, note, paths)


def _sent(session: Session, me: str, words: Words, body: str, paths: list[str]) -> str:
    where, loaded = session.mailboxes, session.settings
    to, extra = _recipients(where, me, words)
    in_reply_to, thread = trace.reply_headers(where, words["reply_to"]) if words.get("reply_to") else (None, None)
    if paths:
        body, header = context.with_context(where.outbox(me), body, paths, loaded)
        extra["Context"] = header
    opens = decide.RULE_HEADER in extra
    subject = words.get("subject", DEFAULT_SUBJECT)
    draft = Draft(to, body, subject, in_reply_to, None if opens else thread, extra=extra)
    sent = send(where, me, draft, loaded.max_message_bytes)
    more = f'\nThe decision is open: peer_status(thread="{sent.id}") tells how it stands.' if opens else ""
    return f"Sent to {', '.join(sent.recipients)}. ID: {sent.id}{more}"


def _recipients(where: Mailboxes, me: str, words: Words) -> tuple[list[str], dict[str, str]]:
    """Return who is written to and, where a decision is opened, the headers that say so."""
    to = resolve(where, me, words["to"] if isinstance(words["to"], list) else [words["to"]])
    if "decide" in words:
        voters = resolve(where, me, words["voters"]) if "voters" in words else []
        return decide.opening(me, to, words["decide"], voters)
    if "voters" in words:
        raise BridgeError(what='voters go with decide: say decide="majority" or decide="unanimous"')
    return to, {}


def _acknowledge(session: Session, caller: Caller, words: Words) -> str:
    done = inbox.acknowledge(session.mailboxes, session.who(caller).address, words["ids"])
    return f"Marked as read: {', '.join(done)}"


# --- look -----------------------------------------------------------------------------------------------


def _list(session: Session, caller: Caller, words: Words) -> str:
    me = session.who(caller).address
    return looking.agents(peers(session.mailboxes), me, session.settings.max_chars)


def _history(session: Session, caller: Caller, words: Words) -> str:
    me, where = session.who(caller).address, session.mailboxes
    peer, thread, text = words.get("peer"), words.get("thread"), words.get("query", "")
    if peer is not None:
        peer = presence.resolve_writer(where, peer)
    everybodys = thread is not None or "query" in words
    query = Query(
        agent=None if everybodys else me,
        peer=peer,
        thread=thread,
        words=text,
        limit=words.get("limit", _DEFAULT_LIMIT),
        before=words.get("before"),
    )
    return looking.history(index.find(where, query), _asked(words, peer), session.settings.max_chars)


def _asked(words: Words, peer: str | None) -> str:
    """Say in words which messages were asked for."""
    parts = [f"from or to {peer}" if peer else "", f"in the thread {words['thread']}" if "thread" in words else ""]
    parts += [f"with {printable(words['query'])}" if "query" in words else ""]
    return " ".join(part for part in parts if part) or "from or to you"


def _status(session: Session, caller: Caller, words: Words) -> str:
    where = session.mailboxes
    if "thread" in words:
        return looking.tally(decide.tally(where, words["thread"]))
    if "id" in words:
        return "\n".join(_place_line(place) for place in trace.find(where, words["id"]))
    me = session.who(caller)
    report = health.examine(where, session.settings, [me.address])[0]
    return (
        f"You are {me.address} ({me.why}).\nMailboxes: {printable(where.path)}\n"
        f"Router: {report.router or 'none running; your reads deliver your mail'}\n"
        f"Unread for you: {report.unread.count}. Sent by you: {report.dropped.count} waiting for delivery, "
        f"{report.malformed.count} malformed."
    )


def _place_line(place: trace.Place) -> str:
    reason = f": {printable(place.reason)}" if place.reason else ""
    return f"{printable(place.name)} to {place.recipient or '?'}: {place.state} since {place.at}{reason}"


PLAIN = {
    "peer_send": _send,
    "peer_context": _context,
    "peer_list": _list,
    "peer_history": _history,
    "peer_status": _status,
    "acknowledge_messages": _acknowledge,
}
