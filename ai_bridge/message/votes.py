"""A decision as text: the rule and the voters in the headers of its opening message, and the vote in an answer."""

import re

from ai_bridge.errors import Malformed
from ai_bridge.message import address
from ai_bridge.message.message import Message
from ai_bridge.text import hint

MAJORITY, UNANIMOUS = RULES = ("majority", "unanimous")
# Not a rule: a request to judge has this word in the place of one.
JUDGE = "judge"
RULE_HEADER, VOTERS_HEADER = "Decide", "Voters"
APPROVE, OBJECT = "[LGTM]", "[CONTINUE]"
# Marks, but no word and no quotation, may stand before a tag, and so may the number of a list.
_TAGGED = re.compile(r"[^\w>\[]*(?:\d{1,3}[.)][^\w>\[]*)?(\[LGTM\]|\[CONTINUE\])")
_LINE_ENDS = re.compile(r"[\n\r]")


class BadDecision(Malformed):
    sentence = "this opens no decision: {why}"


def voters_of(opening: Message) -> list[str]:
    """Return the voters besides the sender, from the header `Voters`; an entry that is no address is left out."""
    named = address.split_list(opening.get(VOTERS_HEADER) or "")
    return [voter for voter in named if address.is_address(voter) and voter != opening.sender]


def check_opening(opening: Message, agents: "set[str]") -> None:
    """Raise `BadDecision` if the message opens a decision by no known rule, or its voters are unknown or too few."""
    rule = opening.get(RULE_HEADER)
    if rule is None or rule == JUDGE:
        return
    if rule not in RULES:
        raise BadDecision(why=f"{RULE_HEADER} is {rule[:80]!r}, but must be majority or unanimous")
    for entry in address.split_list(opening.get(VOTERS_HEADER) or ""):
        if entry not in agents:
            near = hint(entry, agents)
            raise BadDecision(why=f"{VOTERS_HEADER} names {entry[:80]!r}, and there is no such agent{near}")
    fewest = 2 if rule == UNANIMOUS else 1
    if len(voters_of(opening)) < fewest:
        raise BadDecision(why=f"{VOTERS_HEADER} must name {fewest} or more besides the sender, with commas between")


def vote_of(body: str) -> str | None:
    """Return the tag with which an answer votes, None if it does not vote; in doubt it does not approve.

    A tag counts if it begins a line, perhaps behind marks of lists and headings, but not in a quotation. An objection
    always counts. An approval does not count inside a block of code, nor in a line that holds the other tag as well.
    """
    if APPROVE not in (upper := body.upper()) and OBJECT not in upper:
        return None
    fence, approved = "", False
    for line in _LINE_ENDS.split(upper):
        tag = found[1] if (found := _TAGGED.match(line)) else None
        if tag == OBJECT:
            return OBJECT
        fence = _fence_after(line, fence)
        approved |= tag == APPROVE and not fence and OBJECT not in line
    return APPROVE if approved else None


def _fence_after(line: str, fence: str) -> str:
    """Return the mark of the block of code that is open after a line, '' if none is (CommonMark, fenced blocks)."""
    bare = line.strip(" \t")
    if fence:
        return "" if bare and set(bare) == {fence[0]} and len(bare) >= len(fence) else fence
    mark = bare[: len(bare) - len(bare.lstrip(bare[:1]))] if bare[:1] in ("`", "~") else ""
    return mark if len(mark) >= 3 and not (mark[0] == "`" and "`" in bare[len(mark) :]) else ""
