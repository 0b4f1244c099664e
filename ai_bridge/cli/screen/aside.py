"""Mail that was set aside, held or malformed: each file with its reason, and the command with which it goes on."""

from __future__ import annotations

import click

from ai_bridge.agents import identity, person
from ai_bridge.agents.identity import NoIdentity
from ai_bridge.cli import output
from ai_bridge.cli.common import echo_json
from ai_bridge.cli.reader import tell_none
from ai_bridge.cli.screen import messages, terminal
from ai_bridge.health.set_aside import way_on
from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.text import printable


def concerned(where: Tree, agent: str | None) -> str | None:
    """Return the agent whose mail is meant: the one named, else the caller; None means all agents.

    All are meant if it is not known who the caller is, or if it is a person. Raises what `Tree.known_agent` does.
    """
    try:
        me = where.known_agent(identity.who(where, agent).address)
    except NoIdentity:
        return None
    return None if agent is None and person.is_persons(where, me) else me


def places_of(where: Tree, states: list[str], agent: str | None) -> list[Place]:
    """Return the places in these states from or to the agent, or all of them if it is None, in their order."""
    found = [
        Place(box, state, name, label(name)[1])
        for state in states
        for box in where.outboxes()
        for name in box.visible(state)
    ]
    mine = [place for place in found if agent is None or agent in (place.outbox.owner, place.recipient)]
    return sorted(mine, key=lambda place: (states.index(place.state), place.outbox.order(place.state, place.name)))


def print_all(places: list[Place], as_json: bool, project: str) -> None:
    """Print each file with its reason, and with the command for it: as JSON Lines, or for a person."""
    if not places:
        tell_none("nothing is set aside")
    if as_json:
        echo_json(map(_object, places))
    elif terminal.is_shown():
        entries = [entry for place in places for entry in output.entries([place])]
        rows = messages.table([entry._replace(trouble="") for entry in entries], project)
        for row, place in zip(rows, places, strict=True):
            click.echo(f"{row}\n{messages.indented(way_on(place)[0])}", nl=False)
    else:
        for place in places:
            click.echo(_line(place))


def _line(place: Place) -> str:
    """Return the line of a file for a pipe: its state, sender and name, since when, its reason and the way on."""
    name = printable(f"{place.outbox.owner}/{place.name}")
    return f"{click.style(place.state.ljust(9), bold=True)} {name}  {place.at()}  {printable(way_on(place)[0])}"


def _object(place: Place) -> dict[str, object]:
    """Return the JSON object of a file for programs; `fix` is the command for it, None if there is none."""
    told = {"id": place.id, "from": place.outbox.owner, "to": place.recipient or None, "state": place.state}
    return {**told, "path": place.path, "at": place.at(), "reason": place.reason(), "fix": way_on(place)[1] or None}
