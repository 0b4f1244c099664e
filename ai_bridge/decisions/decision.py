"""The state of a decision: its voters, their votes, and what follows from these by the rule."""

from __future__ import annotations

from ai_bridge.message.message import Message
from ai_bridge.message.votes import APPROVE, MAJORITY, OBJECT, RULE_HEADER, UNANIMOUS, voters_of

OPEN, APPROVED, REJECTED, DISPUTED = "open", "approved", "rejected", "disputed"


class Vote:
    """A voter's newest vote: its `tag`, and the `message` that holds it (`sender` wrote it)."""

    __slots__ = ("message", "sender", "tag")

    def __init__(self, sender: str, tag: str, message: Message) -> None:
        self.sender = sender
        self.tag = tag
        self.message = message


class Decision:
    """A decision and its state.

    `opening` is its first message, `opener` is the sender of that, and `rule` says how it is decided. `voters` are
    all who may vote, the opener first; `asked` are those to whom the opener wrote. `votes` are the votes cast, by
    voter. `judges` were asked because the others were split. `untagged` answered and did not vote.
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
    def voter_count(self) -> int:
        """The number of votes there can be; by majority, an even number of voters leaves one more for a judge."""
        count = len(self.voters)
        return count + 1 if self.rule == MAJORITY and count % 2 == 0 else count

    @property
    def needed(self) -> int:
        """The number of votes that decide: of three, two by majority, and all three if the rule is unanimous."""
        return max(3, self.voter_count) if self.rule == UNANIMOUS else self.voter_count // 2 + 1

    def count(self, tag: str) -> int:
        """Return how many voters voted with `tag`."""
        return sum(vote.tag == tag for vote in self.votes.values())

    @property
    def missing(self) -> list[str]:
        """The voters whose votes are missing: of those who were asked, or of all if the rule is unanimous."""
        entitled = self.voters if self.rule == UNANIMOUS else [voter for voter in self.voters if voter in self.asked]
        return [voter for voter in entitled if voter not in self.votes]

    @property
    def awaited(self) -> list[str]:
        """The voters whose votes may still matter; none once the decision is made."""
        return self.missing if self.state in (OPEN, DISPUTED) else []

    @property
    def reserve(self) -> list[str]:
        """The voters who were not asked yet."""
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
            "of": self.voter_count,
            "votes": {voter: self.votes[voter].tag if voter in self.votes else None for voter in self.voters},
            "vote_ids": {voter: vote.message.id for voter, vote in self.votes.items()},
            "missing": self.awaited,
            "judge": self.judges[-1] if self.judges else None,
        }
