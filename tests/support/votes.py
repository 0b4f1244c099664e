"""Decisions that are opened, and answered."""

from __future__ import annotations

from ai_bridge.decisions import opening
from ai_bridge.history import threads
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.votes import MAJORITY
from tests.support.mail import LIMIT, send

PROPOSAL = "Let us use SQLite for the index.\n"


def propose(
    where: Tree, to: list[str], voters: list[str] | None = None, rule: str = MAJORITY, opener: str = "claude"
) -> str:
    """Open a decision; returns its ID."""
    recipients, headers = opening.opening(opener, to, rule, voters or to)
    return send(where, opener, Draft(recipients, PROPOSAL, "the index", extra=headers), LIMIT).id


def answer(where: Tree, thread: str, voter: str, body: str, to: str = "claude") -> str:
    """Answer in the thread."""
    in_reply_to, root, _ = threads.reply_headers(where, trace.find(where, thread)[0].load())
    return send(where, voter, Draft([to], body, "re", in_reply_to, root), LIMIT).id
