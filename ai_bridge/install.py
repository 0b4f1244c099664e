"""What is put where an AI client reads it: first planned, then done; what others wrote goes only where they agree."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from ai_bridge import durable
from ai_bridge.errors import BridgeError
from ai_bridge.service import put_config

SCOPES = ("user", "project")
# A directory that holds one of these is a project; only the home is none, whatever it holds.
_MARKS = (".git", ".claude", ".gemini", ".codex")


class Differs(BridgeError):
    sentence = (
        "{path} exists with other content, so nothing was changed: "
        "look at it with --dry-run, then use --yes to {verb} it (a backup is kept)"
    )


class CannotChange(BridgeError):
    sentence = "{path} cannot be changed ({why}): mend that, or choose another --scope"


class _Client(NamedTuple):
    folder: str  # in the home, and in a project
    variable: str  # what moves it out of the home
    moved: str  # where the folder then is, below what the variable names


# Source: each of the three, run with a skill in every place it might read. Gemini and Codex read `.agents` too,
# but then both would find each other's skill there, and Gemini warns of one it finds twice.
_CLIENTS = {
    "claude": _Client(".claude", "CLAUDE_CONFIG_DIR", ""),
    "gemini": _Client(".gemini", "GEMINI_CLI_HOME", ".gemini"),
    "codex": _Client(".codex", "CODEX_HOME", ""),
}
CLIENTS = tuple(_CLIENTS)


@dataclass(frozen=True)
class Piece:
    """One file for one client; of the directories above it, `base` and what is above that are never removed."""

    client: str
    base: str
    path: str
    content: bytes


@dataclass(frozen=True)
class Step:
    """What is to be done with a piece, and what stands under its path now (None: nothing)."""

    verb: str  # write, replace, remove; unchanged, absent: nothing is to be done
    piece: Piece
    present: bytes | None

    @property
    def needs_consent(self) -> bool:
        """Tell whether the step takes away what is not ours, or was changed since we wrote it."""
        return self.verb in ("replace", "remove") and self.present != self.piece.content


# --- what there is ----------------------------------------------------------------------------------------


def pieces(client: str, scope: str) -> list[Piece]:
    """Return all we have for a client, in the user's own folder of it or in the project's."""
    base, folder = _folder(_CLIENTS[client], scope)
    skill = os.path.join(folder, "skills", "advisor", "SKILL.md")
    return [Piece(client, base, skill, _shipped("skills", "advisor", "SKILL.md"))]


def _folder(client: _Client, scope: str) -> tuple[str, str]:
    if scope == "project":
        base = _project()
    elif named := os.environ.get(client.variable):
        base = os.path.abspath(named)
        return base, os.path.normpath(os.path.join(base, client.moved))
    else:
        base = os.path.abspath(os.path.expanduser("~"))
    return base, os.path.join(base, client.folder)


def _project() -> str:
    """Return the nearest project from the working directory upwards, short of the home; else that directory."""
    try:
        directory = start = os.getcwd()
    except FileNotFoundError:
        raise CannotChange(path="this project", why="the working directory was deleted") from None
    home = os.path.realpath(os.path.expanduser("~"))
    while directory not in (home, os.path.dirname(directory)):
        if any(os.path.lexists(os.path.join(directory, mark)) for mark in _MARKS):
            return directory
        directory = os.path.dirname(directory)
    return start


def _shipped(*parts: str) -> bytes:
    with open(os.path.join(os.path.dirname(__file__), *parts), "rb") as file:
        return file.read()


# --- the plan ---------------------------------------------------------------------------------------------


def plan(verb: str, clients: list[str], scope: str) -> list[Step]:
    """Return the steps that "install" or "uninstall" the clients' pieces; changes nothing."""
    step = {"install": _installing, "uninstall": _uninstalling}[verb]
    return [step(piece, _present(piece.path)) for client in clients for piece in pieces(client, scope)]


def _installing(piece: Piece, present: bytes | None) -> Step:
    if present is None:
        return Step("write", piece, None)
    return Step("unchanged" if present == piece.content else "replace", piece, present)


def _uninstalling(piece: Piece, present: bytes | None) -> Step:
    return Step("absent" if present is None else "remove", piece, present)


def _present(path: str) -> bytes | None:
    if not os.path.lexists(path):
        return None
    if not os.path.isfile(path):
        raise CannotChange(path=path, why="it is no regular file")
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise CannotChange(path=path, why=error.strerror or error) from None


def agree(steps: list[Step], consents: Callable[[Step], bool]) -> None:
    """Ask for each step that needs it; raises `Differs` at the first that is not agreed to."""
    for step in steps:
        if step.needs_consent and not consents(step):
            raise Differs(path=step.piece.path, verb=step.verb)


# --- carrying it out --------------------------------------------------------------------------------------


def carry_out(steps: list[Step]) -> Iterator[tuple[Step, str | None]]:
    """Do each step and then yield it, with the backup that was kept; raises `CannotChange`."""
    for step in steps:
        try:
            yield step, _do(step)
        except OSError as error:
            raise CannotChange(path=step.piece.path, why=error.strerror or error) from None


def _do(step: Step) -> str | None:
    path = step.piece.path
    backup = _back_up(path, step.present) if step.needs_consent and step.present is not None else None
    if step.verb in ("write", "replace"):
        put_config(path, step.piece.content)
    elif step.verb == "remove":
        durable.remove(path)
        _remove_empty(os.path.dirname(path), step.piece.base)
    return backup


def _back_up(path: str, content: bytes) -> str:
    """Keep `content` beside `path`, under the first backup name that is free; returns that name."""
    number = 0
    while True:
        backup = f"{path}.bak{number or ''}"
        try:
            durable.write_new(backup, content, mode=os.stat(path).st_mode & 0o777)
        except FileExistsError:
            number += 1
        else:
            return backup


def _remove_empty(directory: str, base: str) -> None:
    """Remove directories from `directory` upwards, below `base`, until one is in use or is but a link to one."""
    with suppress(OSError):
        while directory != base and not os.path.islink(directory):
            durable.remove(directory)
            directory = os.path.dirname(directory)
