"""A card in a person's editor: the text becomes the card, or stays in a file whose path the refusal gives."""

from __future__ import annotations

import os
import secrets
import sys

import click

from ai_bridge.agents import cards
from ai_bridge.cli.screen import terminal
from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import durable, untrusted

_FOLDER = "edited"


class NotACard(BridgeError):
    sentence = "{why}; the card of {agent} was not changed, and what you wrote is in {path}"


class NoEditor(BridgeError):
    sentence = (
        "there is no terminal for an editor, and neither VISUAL nor EDITOR names one of yours: "
        "run `ai-bridge card edit {agent}` in a terminal, "
        "or change a field with `ai-bridge card set FIELD=VALUE {agent}`"
    )


class EditorFailed(BridgeError):
    sentence = "{why}; the card of {agent} was not changed"


def edit(where: Tree, agent: str) -> None:
    """Open the card in the person's editor, and write the edited text as the card.

    Raises `BridgeError` if there is no editor for it, the text is no card or the editor fails; a text with changes is
    then kept in a file.
    """
    _check_editor(agent)
    before = f"{cards.as_text(where, agent).rstrip()}\n"
    path = where.state_file(_FOLDER, f"{agent}.{secrets.token_hex(4)}.md")
    durable.make_directory(os.path.dirname(path))
    durable.write_new(path, before.encode("utf-8", "replace"))
    mark = _mark(path)
    try:
        click.edit(filename=path)
        after = _written(path)
        if after != before or (_mark(path) != mark and cards.is_damaged(where, agent)):  # saving repairs it
            cards.replace(where, agent, after)
    except cards.BadField:  # `replace` has kept the text itself
        durable.remove(path)
        raise
    except (BridgeError, OSError, ValueError, click.ClickException, KeyboardInterrupt) as trouble:
        raise _kept(path, before, agent, _why(path, trouble)) from None
    durable.remove(path)


def _check_editor(agent: str) -> None:
    """Raise `NoEditor` if nobody named an editor, and that of the system would wait for keys without a terminal."""
    is_named = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not (is_named or (sys.stdin and sys.stdin.isatty() and terminal.is_shown())):
        raise NoEditor(agent=agent)


def _mark(path: str) -> tuple[int, int]:
    """Return the inode and the time in ns, of which one changes when a file is saved."""
    found = os.stat(path)
    return found.st_ino, found.st_mtime_ns


def _written(path: str) -> str:
    """Return the edited text, with line feeds alone; raises `BridgeError`, OSError or UnicodeDecodeError."""
    return untrusted.read_delivered(path).decode("utf-8-sig").replace("\r\n", "\n")


def _why(path: str, trouble: BaseException) -> str:
    if isinstance(trouble, UnicodeDecodeError):
        return f"the text is not UTF-8: byte {trouble.object[trouble.start]:#04x} at offset {trouble.start}"
    if isinstance(trouble, OSError):
        return str(disk_error(path, trouble))
    if isinstance(trouble, click.ClickException):
        return trouble.message
    return str(trouble) or "it was interrupted"


def _kept(path: str, before: str, agent: str, why: str) -> BridgeError:
    """Return the refusal to raise; the file is kept only if the person changed the text."""
    try:
        raw = untrusted.read_delivered(path)
        if is_new := raw != before.encode("utf-8", "replace"):
            durable.replace_own(path, raw)  # an editor may have put another file there, which others may read
    except (BridgeError, OSError):
        is_new = os.path.lexists(path)
    if is_new:
        return NotACard(why=why, agent=agent, path=path)
    durable.remove(path)
    return EditorFailed(why=why, agent=agent)
