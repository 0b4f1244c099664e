"""The answer to a search: each message with the place where the words are."""

from __future__ import annotations

import re

import click

from ai_bridge.cli import output
from ai_bridge.cli.output import Entry
from ai_bridge.cli.screen import messages, terminal
from ai_bridge.history import snippets
from ai_bridge.history.snippets import Snippet
from ai_bridge.mailboxes.trace import Place
from ai_bridge.text import printable

_INDENT = "      "


def text(places: list[Place], words: str, project: str) -> str:
    """Return one line per message with its snippet behind it; on a terminal, the snippet is on a line of its own."""
    wanted, entries = snippets.pattern(words), output.entries(places)
    if terminal.is_shown():
        rows = zip(messages.table(entries, project), entries, strict=True)
        return "".join(f"{row}\n{_below(_snippet(entry, wanted))}" for row, entry in rows)
    lines = ((output.entry_line(entry), _shown(_snippet(entry, wanted))) for entry in entries)
    return "".join(f"{line}  {snippet}\n" if snippet else f"{line}\n" for line, snippet in lines)


def _snippet(entry: Entry, wanted: re.Pattern[str] | None) -> Snippet:
    """Return the place in the body where the words are; if they are in the subject alone, the subject."""
    if entry.message is None:
        return []
    room = max(20, min(70, terminal.columns() - len(_INDENT) - 2)) if terminal.is_shown() else 70
    subject = snippets.marked(entry.message.subject, wanted)
    in_subject = subject if any(is_word for _, is_word in subject) else []
    return snippets.cut(entry.message.body, wanted, room) or in_subject


def _below(snippet: Snippet) -> str:
    return f"{_INDENT}{_shown(snippet)}\n" if snippet else ""


def _shown(snippet: Snippet) -> str:
    """Return the snippet made harmless, its words highlighted."""
    parts = ((printable(part, keep="\t").expandtabs(1), is_word) for part, is_word in snippet)
    return "".join(click.style(part, fg="red", bold=True) if is_word else part for part, is_word in parts)
