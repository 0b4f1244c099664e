"""Mail as most tests need it: sent, moved by the router, and listed by its state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ai_bridge.agents.resolve import resolve_recipients
from ai_bridge.mailboxes import adoption
from ai_bridge.mailboxes.compose import Draft, Sent, compose_and_drop
from ai_bridge.mailboxes.outbox import STATES
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.recover import recover
from ai_bridge.router.route import Router
from ai_bridge.router.step import Step
from ai_bridge.sending.traffic import Traffic
from ai_bridge.settings import Settings

LIMIT = 1_048_576
TEXT = "ID: {id}\nFrom: claude\nTo: {to}\nSubject: s\n\nx"


def send(mailboxes: Tree, sender: str, draft: Draft, limit: int) -> Sent:
    """Send one draft as a program that has checked it already does: no limit but the size (in bytes) holds."""
    return send_batch(mailboxes, sender, [draft], limit)[0]


def send_batch(mailboxes: Tree, sender: str, drafts: list[Draft], limit: int) -> list[Sent]:
    """Send many drafts as `send` does, with one flush."""
    mailboxes.known_agent(sender)
    for draft in drafts:
        draft.recipients = resolve_recipients(mailboxes, sender, draft.recipients)
    return compose_and_drop(mailboxes, sender, drafts, limit)


def post(where: Tree, body: str = "hello", to: str = "gemini", sender: str = "claude", **words: Any) -> str:
    """Send a message; returns its ID."""
    return send(where, sender, Draft([to], body, **words), LIMIT).id


def exchange(where: Tree, sender: str, recipient: str) -> None:
    """Leave the mark of mail that was delivered from one to the other: each then has a tool for the other's mail."""
    counted = Traffic(where, 60)
    counted.remember(sender, recipient)
    counted.save()


def route(where: Tree, settings: Settings, serves: set[str] | None = None) -> list[Step]:
    """Run recovery and passes until nothing moves; returns the steps that did something."""
    router = Router(where, serves or set(where.agents()), settings)
    done = list(recover(router))
    while steps := [step for step in router.one_pass() if step.verb not in ("leave", "retry", "wait")]:
        done += steps
    return done


def states(where: Tree, owner: str) -> dict[str, list[str]]:
    """Return the message files of an outbox by state, leaving out states that hold none."""
    outbox = where.outbox(owner)
    found = {state: outbox.names(state) for state in STATES}
    return {state: names for state, names in found.items() if names}


def make_mailboxes(path: Path, *agents: str) -> str:
    """Make mailboxes that the user trusts."""
    Tree(str(path)).make(list(agents))
    adoption.adopt(str(path))
    return str(path)


def put_message(where: Tree, state: str, name: str, id_: str = "n1", to: str = "gemini") -> str:
    path = where.outbox("claude").file(state, name)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(TEXT.format(id=id_, to=to))
    return path
