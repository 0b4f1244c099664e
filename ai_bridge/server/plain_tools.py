"""The tools that neither read nor wait: each makes one core call and returns a text."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ai_bridge.agents import policy, resolve
from ai_bridge.agents.peers import all_peers
from ai_bridge.agents.work import set_work
from ai_bridge.decisions import tally
from ai_bridge.errors import EmptyBody
from ai_bridge.health import mail
from ai_bridge.history import meant
from ai_bridge.history.query import Query
from ai_bridge.inbox import framing, nobodys
from ai_bridge.mailboxes.card_files import CardFiles
from ai_bridge.mailboxes.compose import Sent
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.message.address import project_of
from ai_bridge.sending import audience
from ai_bridge.sending.send import Wanted, send
from ai_bridge.server import rendering
from ai_bridge.server.client_session import Session
from ai_bridge.server.membership import Caller
from ai_bridge.text import printable, shorten

Words = dict[str, Any]
_DEFAULT_LIMIT = 20
# Arguments of a send that have the same names in `Wanted`.
_ASKED_OF_SEND = ("subject", "reply_to", "decide", "voters", "expires", "urgency")


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
    where, name = session.begin(caller)
    me, to = name.address, words.get("to", [])
    to = to if isinstance(to, list) else [to]
    wanted = Wanted(to, body, context=paths, **{name: words[name] for name in _ASKED_OF_SEND if name in words})
    sent = send(where, me, [wanted], by_model=True, view=session.view(caller))[0]
    session.shown.add([(me, sent.id)])
    more = (
        f'\nThe decision is open: peer_status(thread="{sent.id}") shows how it stands.' if "decide" in words else ""
    )
    absent = "".join(f"\n{said}" for said in audience.absent(where, sent))
    notes = _leaving(where, me, sent.recipients) + _holding(where, me, sent.recipients) + absent + more
    return f"{_sent_to(sent)} ID: {sent.id}{notes}"


def _sent_to(sent: Sent) -> str:
    """Return to whom a message was sent and, if it is a broadcast, how many sessions it rings."""
    return " ".join(filter(None, [f"Sent to {', '.join(sent.recipients)}.", audience.sessions(sent)]))


def _leaving(where: Snapshot, me: str, recipients: list[str]) -> str:
    """Return a line with the recipients outside my project; '' if there are none."""
    away = resolve.leaving(where, me, recipients)
    return f"\nOutside your project: {', '.join(away)}." if away else ""


def _holding(where: Snapshot, me: str, recipients: list[str]) -> str:
    """Return a line with the recipients whose cards hold mail from me, as far as their cards can be read; else ''."""
    cards, holding = policy.Policies(where.part(CardFiles)), []
    for one in recipients:
        with suppress(OSError):  # it is sent anyway, and the router checks the card again
            holding += [one] if cards.verdict(one, me) == policy.HOLD else []
    return f"\nHeld for {', '.join(holding)} until a person lets it pass: tell your user." if holding else ""


def _acknowledge(session: Session, caller: Caller, words: Words) -> str:
    where, name = session.begin(caller)
    mine = session.view(caller)
    done = meant.unread(where, words["ids"], mine, lambda ids: nobodys.acknowledge(where, name.address, ids, mine))
    return f"Marked as read: {', '.join(done)}"


# --- look -----------------------------------------------------------------------------------------------


def _list(session: Session, caller: Caller, words: Words) -> str:
    where, name = session.begin(caller)
    near = {"", project_of(name.address)}
    peers = sorted(all_peers(where), key=lambda peer: project_of(peer.address) not in near)
    return rendering.agents(peers, name.address, _budget(where, caller))


def _history(session: Session, caller: Caller, words: Words) -> str:
    where, name = session.begin(caller)
    query = _query(name.address, words)
    found = meant.past(where, query, session.view(caller))
    text, shown = rendering.history(found, rendering.asked(words, query.peer), _budget(where, caller))
    session.shown.add(shown)
    return text


def _query(me: str, words: Words) -> Query:
    """Return the question to past mail: of my project if it names a thread or words to find, else of mine."""
    is_everybodys = words.get("thread") is not None or "query" in words
    return Query(
        agent=None if is_everybodys else me,
        peer=words.get("peer"),
        thread=words.get("thread"),
        words=words.get("query", ""),
        limit=int(words.get("limit", _DEFAULT_LIMIT)),
        before=words.get("before"),
        project=project_of(me) if is_everybodys else "",
    )


def _budget(where: Snapshot, caller: Caller) -> int:
    return framing.Budget(where.settings().max_chars, caller.client).chars


def _status(session: Session, caller: Caller, words: Words) -> str:
    where, mine = session.look(), session.view(caller)
    if "thread" in words:
        return rendering.tally(meant.message(where, words["thread"], mine, lambda id_: tally.of_thread(where, id_)))
    if "id" in words:
        return rendering.places(meant.message(where, words["id"], mine, lambda id_: mail.explain(where, id_, mine)))
    where, me = session.begin(caller)
    if "working_on" in words:
        return rendering.work(set_work(where, me.address, words["working_on"]))
    return rendering.status(session.place(where), me, mail.examine(where, where.settings(), [me.address])[0])


PLAIN = {
    "peer_send": _send,
    "peer_context": _context,
    "peer_list": _list,
    "peer_history": _history,
    "peer_status": _status,
    "acknowledge_messages": _acknowledge,
}
