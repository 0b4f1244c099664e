"""Deciding together: one agent proposes, others approve or object, and a judge is asked if they are split.

A decision is a thread. Its opening message names the rule (`Decide`) and the voters (`Voters`). A vote is a voter's
newest answer in the thread with a line that begins with `[LGTM]` or `[CONTINUE]`. The tally is computed from the
files alone, so there is no second record that could differ.
"""

from __future__ import annotations

from ai_bridge.decisions.decision import Decision, Vote
from ai_bridge.errors import BridgeError, Malformed, NoSuchMessage
from ai_bridge.history import search
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import reference
from ai_bridge.message.ids import stamp_of
from ai_bridge.message.message import Message
from ai_bridge.message.votes import (
    JUDGE,
    RULE_HEADER,
    RULES,
    vote_of,
    voters_of,
)


class NoDecision(BridgeError):
    sentence = "{id} belongs to no decision: `ai-bridge decisions` lists those there are"
    for_model = "{id} belongs to no decision: give the ID that peer_send(decide=…) returned, or that of an answer"


class NotCounted(BridgeError):
    sentence = "the votes on {id} cannot be counted just now: another process is building the index; ask again soon"


# The sender of a message (the owner of its outbox), the message, and the recipient of this copy.
Said = tuple[str, Message, str]


# --- open -----------------------------------------------------------------------------------------------


# --- tally ----------------------------------------------------------------------------------------------


def tally(mailboxes: Tree, id_: str, in_hand: tuple[str, Message] | None = None) -> Decision:
    """Return the decision to which the message `id_` belongs, with its votes.

    `in_hand` is the sender and the message of one that may not be delivered yet, and belongs to the thread. Raises
    `NoSuchMessage`, `NoDecision`, or `NotCounted`.
    """
    said = _all_said(mailboxes, id_)
    decision = _opened(said)
    if decision is None:
        raise NoDecision(id=id_)
    if in_hand is not None:
        said = _with(said, *in_hand)
    for sender, found, recipient in said:
        if sender == decision.opener:
            _note_asked(decision, found, recipient)
    for sender, found, _ in said:
        if found.thread == decision.id and sender in decision.voters:
            _note_vote(decision, sender, found)
    return decision


def of_thread(mailboxes: Tree, text: str) -> Decision:
    """Return what `tally` does for a message named by its ID or as `SENDER/ID`."""
    return tally(mailboxes, reference.split(text)[1])


def _all_said(mailboxes: Tree, id_: str) -> list[Said]:
    """Return the messages of the thread to which the message belongs, oldest first."""
    places, complete = search.thread(mailboxes, id_)
    if not complete:
        raise NotCounted(id=id_)
    if not places:
        raise NoSuchMessage(id=id_, where=f" in {mailboxes.path}")
    return [one for place in places if (one := _loaded(place)) is not None]


def _loaded(place: Place) -> Said | None:
    """Return the message at a place; None if it cannot be read, or its sender does not own the outbox."""
    try:
        found = place.load()
    except (Malformed, OSError):
        return None
    return (place.outbox.owner, found, place.recipient) if found.sender == place.outbox.owner else None


def _with(said: list[Said], sender: str, found: Message) -> list[Said]:
    """Insert a message, unless it is there, at its time in the order of its sender's own IDs."""
    if found.id in {one.id for _, one, _ in said}:
        return said
    stamp = stamp_of(found.id) or "9"
    later = [n for n, (by, one, _) in enumerate(said) if by == sender and (stamp_of(one.id) or "9") > stamp]
    place = later[0] if later else len(said)
    return [*said[:place], (sender, found, ""), *said[place:]]


def _opened(said: list[Said]) -> Decision | None:
    """Return the decision that was opened; if two agents claim its ID, that of the agent with which the ID begins."""
    opened: dict[str, Message] = {}
    for sender, found, _ in said:
        if found.get(RULE_HEADER) in RULES and found.thread in (None, found.id) and voters_of(found):
            opened.setdefault(sender, found)
    if len(opened) > 1:
        opened = {sender: found for sender, found in opened.items() if found.id.startswith(f"{sender}-")}
    return next((Decision(found, sender) for sender, found in opened.items() if len(opened) == 1), None)


def _note_asked(decision: Decision, found: Message, recipient: str) -> None:
    """Note to whom the opener wrote: to vote, or automatically to judge (then to one agent besides the voters)."""
    if found.id == decision.id:
        decision.asked.add(recipient)
    elif (
        found.thread == decision.id
        and found.get(RULE_HEADER) == JUDGE
        and found.get("Auto-Submitted")
        and recipient != decision.opener
    ):
        is_voter = recipient in decision.voters
        if not is_voter and decision.judges:
            return
        decision.asked.add(recipient)
        decision.judges.append(recipient)
        decision.voters += [] if is_voter else [recipient]


def _note_vote(decision: Decision, sender: str, found: Message) -> None:
    """Note a voter's answer; the answers of one voter must come in the order in which they were written."""
    tag = vote_of(found.body)
    if tag is not None:
        decision.votes[sender] = Vote(sender, tag, found)
    elif sender != decision.opener and sender not in decision.untagged:
        decision.untagged.append(sender)


def decisions(mailboxes: Tree) -> list[Decision]:
    """Return every decision, the newest last."""
    ids = dict.fromkeys(place.id for place in search.openings(mailboxes))
    found = []
    for id_ in ids:
        try:
            found.append(tally(mailboxes, id_))
        except BridgeError:  # its file was taken away just now
            continue
    return found
