"""How decisions stand, one line each: in columns on a terminal, whole in a pipe."""

from __future__ import annotations

import click

from ai_bridge.cli.screen import messages, tables, terminal
from ai_bridge.cli.screen.tables import Cell
from ai_bridge.decisions.decision import Decision
from ai_bridge.message.votes import APPROVE, OBJECT
from ai_bridge.text import printable, shorten

_COLOURS = {"approved": "green", "rejected": "red", "open": "yellow"}


def text(found: list[Decision], with_votes: bool) -> str:
    """Return the lines; with `with_votes`, each has every vote below it, and its whole ID."""
    if terminal.is_shown() and not with_votes:
        return "".join(f"{line}\n" for line in _table(found))
    return "".join(f"{_line(one)}\n" + (f"{_votes(one)}\n" if with_votes else "") for one in found)


def _table(found: list[Decision]) -> list[str]:
    ids = messages.short_ids(one.id for one in found)
    rows = [[Cell(ids[one.id], colour="cyan"), *_cells(one)] for one in found]
    return tables.lines(rows, (2, 5), terminal.columns())


def _cells(one: Decision) -> list[Cell]:
    missing = f"missing: {', '.join(one.awaited)}" if one.awaited else ""
    return [
        Cell(one.state, bold=True, colour=_COLOURS.get(one.state)),
        Cell(printable(one.opening.subject)),
        Cell(f"{one.count(APPROVE)} for, {one.count(OBJECT)} against"),
        Cell(f"{one.needed} of {one.voter_count}"),
        Cell(printable(missing), dim=True),
    ]


def _line(decision: Decision) -> str:
    state = click.style(decision.state.ljust(8), bold=True)
    subject = shorten(printable(decision.opening.subject), 60)
    votes = f"{decision.count(APPROVE)} for, {decision.count(OBJECT)} against"
    rule = f"{decision.needed} of {decision.voter_count} decide"
    missing = f"; missing: {', '.join(decision.awaited)}" if decision.awaited else ""
    return f"{state}  {decision.id}  {subject}  ({votes}, {rule}{missing})"


def _votes(decision: Decision) -> str:
    lines = []
    for voter in decision.voters:
        vote = decision.votes.get(voter)
        told = f"{vote.tag}  {vote.message.id}" if vote else "-"
        lines.append(f"  {voter}{' (judge)' if voter in decision.judges else ''}: {told}")
    return "\n".join(lines)
