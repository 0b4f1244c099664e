"""Messages as a person sees them: short names and IDs, rows of a table, and texts as a conversation."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

import click

from ai_bridge.cli import output
from ai_bridge.cli.output import BODY_KEEPS, Entry
from ai_bridge.cli.screen import tables, terminal
from ai_bridge.cli.screen.tables import Cell
from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.outbox import READ
from ai_bridge.mailboxes.trace import Place, by_message
from ai_bridge.message.address import project_of
from ai_bridge.message.ids import is_own_id
from ai_bridge.message.message import Message
from ai_bridge.system import times
from ai_bridge.text import printable

_INDENT = "    "
_COLOURS = {"unread": "yellow", "held": "magenta", "malformed": "red"}


def short_name(address: str, project: str) -> str:
    """Return the name of an agent as those of the `project` call it."""
    return printable(address.removesuffix(f"@{project}") if project else address)


def short_names(addresses: Iterable[str], project: str) -> str:
    """Return several `short_name`s, with commas."""
    return ", ".join(short_name(address, project) for address in addresses)


def short_ids(ids: Iterable[str]) -> dict[str, str]:
    """Return the end of each ID that no other of them has: the part behind the last hyphen, if that will do."""
    ends = {id_: id_.rpartition("-")[2] if is_own_id(id_) else id_ for id_ in ids}
    common = Counter(ends.values())
    return {id_: printable(end if common[end] == 1 else id_) for id_, end in ends.items()}


def sent_s(message: Message) -> float:
    """Return when a message was sent, by its header `Date`, else its ID: seconds since the epoch, 0 if unknown."""
    return times.parse_utc(times.without_fraction(output.date_of(message)))


def ago(at_s: float) -> str:
    """Return how long ago a time in seconds since the epoch was; '' for 0, which is no time."""
    return times.ago(time.time() - at_s) if at_s else ""


def table(entries: list[Entry], project: str, me: str = "") -> list[str]:
    """Return one line per message and state, which fits the terminal; it does not name `me` as a recipient."""
    ids = short_ids(entry.place.id for entry in entries)
    rows = [_row(entry, ids[entry.place.id], project, me) for entry in entries]
    return tables.lines(rows, (3, 4), terminal.columns())


def print_list(places: list[Place], as_json: bool, project: str) -> None:
    """Print messages as JSON Lines, else one line each: in columns on a terminal, whole in a pipe."""
    if as_json or not terminal.is_shown():
        output.print_places(places, as_json)
        return
    for line in table(output.entries(places), project):
        click.echo(line)


def print_mine(places: list[Place], as_json: bool, me: str) -> None:
    """Do what `print_list` does for mail to one agent, `me`; JSON has no bodies."""
    if as_json or not terminal.is_shown():
        output.print_places(places, as_json, with_body=False)
        return
    for line in table(output.entries(places), project_of(me), me):
        click.echo(line)


def _row(entry: Entry, id_: str, project: str, me: str) -> list[Cell]:
    state = Cell(entry.state, bold=True, colour=_COLOURS.get(entry.state))
    if entry.message is None:
        what = f"({entry.trouble})" if entry.trouble else ""
        return [Cell(printable(entry.place.name)), state, Cell(""), Cell(""), Cell(printable(what))]
    to = "" if entry.recipients == [me] else f" → {short_names(entry.recipients, project)}"
    who = short_name(entry.message.sender, project) + to
    subject = Cell(printable(entry.message.subject))
    return [Cell(id_, colour="cyan"), state, Cell(ago(sent_s(entry.message)), dim=True), Cell(who), subject]


# --- a conversation -------------------------------------------------------------------------------------


def conversation(places: list[Place], project: str) -> str:
    """Return messages with their local times and words, as a person reads them; those of one ID and sender once.

    The words are indented, so that no message can pass for two. On a terminal they are cut where its lines end.
    """
    on_terminal = terminal.is_shown()
    grouped = by_message(places)
    ids = short_ids(copies[0].id for copies in grouped) if on_terminal else {}
    texts = [_message(copies, ids, project if on_terminal else "") for copies in grouped]
    return "\n".join(texts)


def _message(copies: list[Place], ids: dict[str, str], project: str) -> str:
    """Return the text of one message, whose `copies` are one per recipient."""
    place = copies[0]
    try:
        message = place.load()
    except (BridgeError, OSError) as trouble:
        return f"{output.unreadable(place, trouble)}\n"
    to = [copy.recipient for copy in copies if copy.recipient] or message.recipients
    id_ = ids.get(place.id) or printable(place.id)
    return f"{_head(message, to, id_, _states(copies, project), project)}\n{indented(message.body)}"


def _head(message: Message, to: list[str], id_: str, states: str, project: str) -> str:
    """Return the line above a message's words; on a terminal, its subject takes what room the other parts leave."""
    at_s = sent_s(message)
    at = times.local_minute(at_s) if at_s else "at no known time"
    sender, names = short_name(message.sender, project), f" → {short_names(to, project)}"
    subject = printable(message.subject)
    if terminal.is_shown():
        others = terminal.width("  ".join(filter(None, (at, sender + names, id_, states))))
        subject = terminal.clipped(subject, max(terminal.columns() - others - 2, 10))
    who = click.style(sender, bold=True) + names
    dim, yellow = Cell("", dim=True), Cell("", colour="yellow")
    shown = (tables.styled(at, dim), who, tables.styled(subject, Cell("", colour="cyan")))
    return "  ".join(filter(None, (*shown, tables.styled(id_, dim), tables.styled(states, yellow))))


def _states(copies: list[Place], project: str) -> str:
    """Return which copies are not read: their state alone if it is that of all, else with its recipients."""
    states = {copy.state for copy in copies}
    if len(states) == 1:
        return "" if states == {READ} else copies[0].state
    late = {state: [copy.recipient for copy in copies if copy.state == state] for state in states - {READ}}
    return ", ".join(f"{state} for {short_names(late[state], project)}" for state in sorted(late))


def indented(text: str) -> str:
    """Return a text made harmless, its lines indented; on a terminal, those that are too long are cut."""
    lines = printable(text, keep=BODY_KEEPS).rstrip("\n").split("\n")
    if terminal.is_shown():
        most = max(terminal.columns() - len(_INDENT), 20)
        lines = [part for line in lines for part in terminal.wrapped(line.expandtabs(8), most)]
    return "".join(f"{_INDENT}{line}".rstrip() + "\n" for line in lines)
