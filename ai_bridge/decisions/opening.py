"""Opens a decision: its voters, and the headers of the message that asks them."""

from __future__ import annotations

from ai_bridge.agents import presence
from ai_bridge.agents.resolve import resolve_recipients
from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.address import is_several, split_list
from ai_bridge.message.votes import (
    MAJORITY,
    RULE_HEADER,
    RULES,
    UNANIMOUS,
    VOTERS_HEADER,
)


class BadRule(BridgeError):
    sentence = "a decision is by majority or unanimous, not by {rule!r}"


class NoVoters(BridgeError):
    sentence = "a decision needs others who vote: name them in voters or to"


class TooFewVoters(BridgeError):
    sentence = "an unanimous decision takes three: name two voters besides yourself, or decide by majority"


def opening(sender: str, recipients: list[str], rule: str, voters: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return the recipients and the headers of a message that opens a decision; raises `NoVoters` or `TooFewVoters`.

    All addresses must be known. One voter who is not among the recipients is kept back as the judge, if the others
    may come out even; otherwise all voters become recipients.
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


def begin(mailboxes: Tree, sender: str, draft: Draft, rule: str, voters: list[str] | None) -> None:
    """Turn `draft` into one that opens a decision in a thread of its own: changes its recipients, thread and headers.

    `voters` are names of agents. If it is None, the recipients vote; of everybody (`*`) or a group, those online
    vote, if any is. Raises `BadRule`, `NoVoters`, `TooFewVoters`, or what `resolve_recipients` raises.
    """
    if rule not in RULES:
        raise BadRule(rule=rule)
    recipients = resolve_recipients(mailboxes, sender, draft.recipients, draft.project)
    if voters is not None:
        entitled = resolve_recipients(mailboxes, sender, voters, draft.project)
    elif any(is_several(entry) for text in draft.recipients for entry in split_list(text)):
        awake = presence.online(mailboxes)
        entitled = [agent for agent in recipients if agent in awake] or recipients
    else:
        entitled = recipients
    draft.recipients, headers = opening(sender, recipients, rule, entitled)
    draft.thread, draft.extra = None, draft.extra | headers
