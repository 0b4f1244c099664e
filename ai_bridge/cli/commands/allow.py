"""The command allow, by which a person approves mail."""

from __future__ import annotations

import click

from ai_bridge import settings
from ai_bridge.agents import person
from ai_bridge.cli.common import common, complete_ids, echo_json
from ai_bridge.history import meant
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import address
from ai_bridge.message.reference import View
from ai_bridge.sending.allow import allow_mail
from ai_bridge.text import printable


@click.command()
@click.argument("subject", metavar="THREAD|ADDRESS", shell_complete=complete_ids)
@common(agent_help="Only mail that is held for this agent.")
def allow(where: Tree, agent: str | None, subject: str, as_json: bool) -> None:
    """Let a thread go on, named by the ID of any of its messages, or an agent's mail so far, named by its address.

    Its budgets begin again, and its held mail goes back on its way.
    """
    person.refuse_clients("this")
    only = None if agent is None else where.known_agent(agent)
    places = _allowed(where, subject, only)
    if as_json:
        echo_json({"id": one.id, "to": one.recipient, "state": one.state, "path": one.path} for one in places)
        return
    for place in places:
        click.echo(f"{printable(place.name)} from {place.outbox.owner} is on its way again")
    if not places:
        click.echo(f"nothing was held; {printable(subject)} may go on")


def _allowed(where: Tree, subject: str, only: str | None) -> list[Place]:
    """Allow the mail of the agent of that address, if there is one, else the thread of the message that is meant."""
    most = settings.load(where.path).max_hops
    if address.is_address(subject) and where.has_outbox(subject):
        return allow_mail(where, subject, most, only)
    return meant.message(where, subject, View(only or ""), lambda exact: allow_mail(where, exact, most, only))
