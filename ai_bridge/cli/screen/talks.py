"""Conversations, one line each: in columns on a terminal, whole in a pipe."""

from __future__ import annotations

from ai_bridge.cli import output
from ai_bridge.cli.screen import messages, tables, terminal
from ai_bridge.cli.screen.tables import Cell
from ai_bridge.history.conversations import Conversation
from ai_bridge.message.message import Message
from ai_bridge.system import times
from ai_bridge.text import counted, printable

_INDENT = "      "


def text(found: list[Conversation], project: str) -> str:
    """Return a line per conversation: ID, time, messages, unread, agents, subject, first line of the last message.

    A narrow terminal has that line below the others.
    """
    if not terminal.is_shown():
        return "".join(f"{_line(one)}\n" for one in found)
    ids = messages.short_ids(one.id for one in found)
    rows = [_row(one, ids[one.id], project) for one in found]
    most = terminal.columns()
    if most >= terminal.WIDE:
        return "".join(f"{line}\n" for line in tables.lines(rows, (4, 5, 6), most))
    lines = zip(tables.lines([row[:-1] for row in rows], (4, 5), most), rows, strict=True)
    return "".join(f"{line}\n{_INDENT}{terminal.clipped(row[-1].text, most - len(_INDENT))}\n" for line, row in lines)


def _line(one: Conversation) -> str:
    at = times.to_minute(times.format_utc(one.at_s)) if one.at_s else "-"
    count = counted(one.count, "message") + (f", {one.unread} unread" if one.unread else "")
    subject = tables.styled(printable(one.subject), Cell("", bold=True))
    parts = (printable(one.id), at, count, ", ".join(one.agents), subject, _last_line(one.message))
    return "  ".join(part for part in parts if part)


def _row(one: Conversation, id_: str, project: str) -> list[Cell]:
    return [
        Cell(id_, colour="cyan"),
        Cell(messages.ago(one.at_s), dim=True),
        Cell(str(one.count)),
        Cell(f"{one.unread} unread" if one.unread else "", colour="yellow"),
        Cell(messages.short_names(one.agents, project)),
        Cell(printable(one.subject), bold=True),
        Cell(_last_line(one.message)),
    ]


def _last_line(message: Message | None) -> str:
    """Return the first line of a message that says something."""
    lines = (message.body if message else "").split("\n")
    return printable(next((line.strip() for line in lines if line.strip()), ""))


def as_json(one: Conversation) -> dict[str, object]:
    """Return the conversation as the JSON object for programs; `last` is None if that message is unreadable."""
    last = one.message
    return {
        "id": one.id,
        "subject": one.subject,
        "agents": one.agents,
        "count": one.count,
        "unread": one.unread,
        "at": times.format_utc(one.at_s) if one.at_s else None,
        "last": output.as_json(last, one.last.state, one.last.path) if last else None,
    }
