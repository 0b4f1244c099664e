"""Deciding together: one agent proposes, others approve or object, and a judge is asked where they are split.

A decision is a thread. Its opening message says by which rule (`Decide`) and who votes (`Voters`); a vote is a
voter's newest answer in the thread with a line that begins with `[LGTM]` or `[CONTINUE]`. The tally is computed
from the files alone, so there is nothing to keep in step.
"""

from __future__ import annotations

from ai_bridge import index, presence
from ai_bridge.address import EVERYONE, split_list
from ai_bridge.errors import BridgeError, Malformed, NoSuchMessage
from ai_bridge.mailboxes import Mailboxes
from ai_bridge.message import Message
from ai_bridge.send import Draft, resolve
from ai_bridge.trace import Place
from ai_bridge.votes import (
    APPROVE,
    JUDGE,
    MAJORITY,
    OBJECT,
    RULE_HEADER,
    RULES,
    UNANIMOUS,
    VOTERS_HEADER,
    vote_of,
    voters_of,
)

OPEN, APPROVED, REJECTED, DISPUTED = "open", "approved", "rejected", "disputed"


class NoDecision(BridgeError):
    sentence = "{id} belongs to no decision: `ai-bridge decisions` lists those there are"


class BadRule(BridgeError):
    sentence = "a decision is by majority or unanimous, not by {rule!r}"


class NoVoters(BridgeError):
    sentence = "a decision needs others who vote: name them in voters or to"


class TooFewVoters(BridgeError):
    sentence = "an unanimous decision takes three: name two voters besides yourself, or decide by majority"


class Vote:
    """A voter's newest vote: its `tag`, and the `message` that holds it (`sender` wrote it)."""

    __slots__ = ("message", "sender", "tag")

    def __init__(self, sender: str, tag: str, message: Message) -> None:
        self.sender = sender
        self.tag = tag
        self.message = message


class Decision:
    """How a decision stands.

    `opening` is its first message, `opener` who wrote it, `rule` how it is decided; `voters` are all who may vote,
    the opener first, of whom `asked` were written to; `votes` are those cast, by voter; `judges` were asked
    because the others were split; `untagged` answered and did not vote.
    """

    __slots__ = ("asked", "judges", "opener", "opening", "rule", "untagged", "voters", "votes")

    def __init__(self, opening: Message, opener: str) -> None:
        self.opening = opening
        self.opener = opener
        self.rule = opening.get(RULE_HEADER) or MAJORITY
        self.voters = list(dict.fromkeys([opener, *voters_of(opening)]))
        self.asked = {opener}
        self.judges: list[str] = []
        self.votes = {opener: Vote(opener, APPROVE, opening)}
        self.untagged: list[str] = []

    @property
    def id(self) -> str:
        """The ID of the opening message, which is that of the thread."""
        return self.opening.id

    @property
    def of(self) -> int:
        """How many voices there are; of an even number by majority one more is the judge's, should it be needed."""
        count = len(self.voters)
        return count + 1 if self.rule == MAJORITY and count % 2 == 0 else count

    @property
    def needed(self) -> int:
        """How many voices decide: of three two by majority, and all three where it must be unanimous."""
        return max(3, self.of) if self.rule == UNANIMOUS else self.of // 2 + 1

    def count(self, tag: str) -> int:
        """Return how many voted so."""
        return sum(vote.tag == tag for vote in self.votes.values())

    @property
    def missing(self) -> list[str]:
        """Who is to vote and has not: of those who were written to, or of all where all must agree."""
        entitled = self.voters if self.rule == UNANIMOUS else [voter for voter in self.voters if voter in self.asked]
        return [voter for voter in entitled if voter not in self.votes]

    @property
    def awaited(self) -> list[str]:
        """Whose vote may still matter."""
        return self.missing if self.state in (OPEN, DISPUTED) else []

    @property
    def reserve(self) -> list[str]:
        """Who may vote and was not written to yet."""
        return [voter for voter in self.voters if voter not in self.asked]

    @property
    def state(self) -> str:
        """Return open, approved, rejected or disputed."""
        approve, objections = self.count(APPROVE), self.count(OBJECT)
        if approve >= self.needed:
            return APPROVED
        if self.rule == UNANIMOUS:
            return self._not_unanimous(approve, objections)
        if objections >= self.needed:
            return REJECTED
        return DISPUTED if objections and set(self.missing) <= set(self.judges) else OPEN

    def _not_unanimous(self, approve: int, objections: int) -> str:
        if len(self.votes) < len(self.voters):
            return OPEN
        return REJECTED if objections > approve else DISPUTED

    def as_json(self) -> dict[str, object]:
        """Return the decision as programs read it."""
        return {
            "thread": self.id,
            "subject": self.opening.subject,
            "opener": self.opener,
            "rule": self.rule,
            "state": self.state,
            "needed": self.needed,
            "of": self.of,
            "votes": {voter: self.votes[voter].tag if voter in self.votes else None for voter in self.voters},
            "vote_ids": {voter: vote.message.id for voter, vote in self.votes.items()},
            "missing": self.awaited,
            "judge": self.judges[-1] if self.judges else None,
        }


# --- open -----------------------------------------------------------------------------------------------


def opening(sender: str, recipients: list[str], rule: str, voters: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return who is written to and the headers of a message that opens a decision; raises a `BridgeError`.

    All addresses are known ones. One voter who is not written to is kept back as the judge, where the others may
    come out even; otherwise all who vote are written to.
    """
    entitled = [voter for voter in dict.fromkeys(voters) if voter != sender]
    if not entitled:
        raise NoVoters()
    if rule == UNANIMOUS and len(entitled) < 2:
        raise TooFewVoters()
    asked = set(entitled) & set(recipients)
    has_judge = rule == MAJORITY and len(entitled) == len(asked) + 1 and len(asked) % 2 == 1
    if not has_judge:
        recipients = list(dict.fromkeys([*recipients, *entitled]))
    return recipients, {RULE_HEADER: rule, VOTERS_HEADER: ", ".join(entitled)}


def begin(mailboxes: Mailboxes, sender: str, draft: Draft, rule: str, voters: list[str] | None) -> None:
    """Make a draft one that opens a decision, a thread of its own; raises a `BridgeError`.

    `voters` are names of agents; without any the recipients vote, and of everybody those online, if any is.
    """
    if rule not in RULES:
        raise BadRule(rule=rule)
    recipients = resolve(mailboxes, sender, draft.recipients)
    if voters is not None:
        entitled = resolve(mailboxes, sender, voters)
    elif any(EVERYONE in split_list(text) for text in draft.recipients):
        awake = presence.online(mailboxes)
        entitled = [agent for agent in recipients if agent in awake] or recipients
    else:
        entitled = recipients
    draft.recipients, headers = opening(sender, recipients, rule, entitled)
    draft.thread, draft.extra = None, draft.extra | headers


# --- tally ----------------------------------------------------------------------------------------------


def tally(mailboxes: Mailboxes, id_: str, in_hand: tuple[str, Message] | None = None) -> Decision:
    """Return how the decision stands to which the message `id_` belongs; raises `NoDecision`, `NoSuchMessage`.

    `in_hand` is a message of the thread, with who wrote it, that may not lie where others find it yet.
    """
    said = [one for place in index.thread(mailboxes, id_) if (one := _loaded(place)) is not None]
    if in_hand is not None and in_hand[1].id not in {found.id for _, found, _ in said}:
        said.append((*in_hand, ""))
    if not said:
        raise NoSuchMessage(id=id_, where=f" in {mailboxes.path}")
    decision = _opened(said)
    if decision is None:
        raise NoDecision(id=id_)
    for sender, found, recipient in said:
        if sender == decision.opener:
            _note_asked(decision, found, recipient)
    for sender, found, _ in said:
        if found.id != decision.id and sender in decision.voters:
            _note_vote(decision, sender, found)
    return decision


def _loaded(place: Place) -> tuple[str, Message, str] | None:
    """Return who wrote a message (whose outbox it lies in), the message and whom it is for."""
    try:
        return place.outbox.owner, place.load(), place.recipient
    except (Malformed, OSError):
        return None


def _opened(said: list[tuple[str, Message, str]]) -> Decision | None:
    for sender, found, _ in said:
        if found.get(RULE_HEADER) in RULES and found.thread in (None, found.id) and voters_of(found):
            return Decision(found, sender)
    return None


def _note_asked(decision: Decision, found: Message, recipient: str) -> None:
    """Take note of who was written to by the opener: to vote, or to judge."""
    if found.id == decision.id:
        decision.asked.add(recipient)
    elif found.get(RULE_HEADER) == JUDGE:
        decision.asked.add(recipient)
        decision.judges.append(recipient)
        if recipient not in decision.voters:
            decision.voters.append(recipient)


def _note_vote(decision: Decision, sender: str, found: Message) -> None:
    """Take note of a voter's answer; those of one voter come in the order they were written."""
    tag = vote_of(found.body)
    if tag is not None:
        decision.votes[sender] = Vote(sender, tag, found)
    elif sender != decision.opener and sender not in decision.untagged:
        decision.untagged.append(sender)


def decisions(mailboxes: Mailboxes) -> list[Decision]:
    """Return every decision, the newest last."""
    ids = dict.fromkeys(place.id for place in index.openings(mailboxes))
    found = []
    for id_ in ids:
        try:
            found.append(tally(mailboxes, id_))
        except BridgeError:  # its file was taken away just now
            continue
    return found
