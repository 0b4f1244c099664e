"""Changes files that AI clients read: first plans, then acts. A person's text is replaced only by consent."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from ai_bridge.errors import BridgeError
from ai_bridge.install.content import Content, difference
from ai_bridge.install.json_edit import NotMergeable
from ai_bridge.system import durable
from ai_bridge.system.config_files import put_config, remove_empty


class Differs(BridgeError):
    sentence = (
        "{path} exists with other content, so nothing was changed: "
        "look at it with --dry-run, then use --yes to {verb} it (a backup is kept)"
    )


class CannotChange(BridgeError):
    sentence = "{path} cannot be changed ({why}): fix that, or choose another --scope"


class NotPlain(BridgeError):
    """Only a person can change this file safely; `by_hand` has the lines to write into it, '' for none."""

    sentence = "{path} cannot be changed safely ({why}), so nothing was changed: {act} it by hand"

    def __init__(self, by_hand: str, **facts: object) -> None:
        super().__init__(**facts)
        self.by_hand = by_hand


# How many times to try again if a client writes the file at the same moment.
_TRIES = 10


class ChangedMeanwhile(BridgeError):
    sentence = "{path} was changed by another program meanwhile, so it was left alone: run the command again"


@dataclass(frozen=True)
class Piece:
    """One file for one client. The directory `base` and those above it are never removed."""

    client: str
    what: str
    base: str
    path: str
    content: Content
    mode: int = 0o644  # of a new file


@dataclass(frozen=True)
class Change:
    """The change of one piece: `present` is the file's content now, `wanted` the content after it (None: no file).

    `command`: install or uninstall. `verb`: write, change, replace or remove; unchanged or absent if there is nothing
    to do.
    """

    command: str
    verb: str
    piece: Piece
    present: bytes | None
    wanted: bytes | None
    needs_consent: bool = False
    difference: str = ""
    notes: tuple[str, ...] = ()
    spent: tuple[str, ...] = ()  # backups that are no longer needed once this is done

    @property
    def does(self) -> bool:
        """Tell whether there is anything to do."""
        return self.verb not in ("unchanged", "absent")


# --- the plan ---------------------------------------------------------------------------------------------


def planned(verb: str, pieces: list[Piece]) -> list[Change]:
    """Return the steps that "install" or "uninstall" the pieces, in order; raises `CannotChange`, `NotPlain`."""
    return [_step(verb, piece) for piece in (pieces if verb == "install" else reversed(pieces))]


def _step(verb: str, piece: Piece) -> Change:
    present = present_at(piece.path)
    try:
        return _installing(piece, present) if verb == "install" else _uninstalling(piece, present)
    except NotMergeable as trouble:
        if verb == "uninstall" and not re.search(rb"ai[-_]bridge", present or b""):
            return Change(verb, "absent", piece, present, present)
        act = "write the lines shown into" if verb == "install" else "take ai-bridge out of"
        by_hand = piece.content.by_hand() if verb == "install" else ""
        raise NotPlain(by_hand, path=piece.path, why=str(trouble), act=act) from None


def _installing(piece: Piece, present: bytes | None) -> Change:
    content = piece.content
    wanted = content.installed(present)
    notes = tuple(content.notes(present))
    if wanted == present:
        return Change("install", "unchanged", piece, present, wanted, notes=notes)
    if present is None:
        return Change("install", "write", piece, None, wanted, difference=_shown(piece, None, wanted), notes=notes)
    asks = content.holds(present) and content.asks("install", present)
    verb = "change" if content.keeps_backups else "replace"
    return Change("install", verb, piece, present, wanted, asks, _shown(piece, present, wanted), notes)


def _uninstalling(piece: Piece, present: bytes | None) -> Change:
    content = piece.content
    if present is None or not content.holds(present):
        return Change("uninstall", "absent", piece, present, present)
    backups = _backups(piece.path) if content.keeps_backups else {}
    wanted = content.uninstalled(present, list(backups.values()))
    if wanted is None and content.through_links and os.path.islink(piece.path):
        wanted = content.nothing
    verb = "remove" if wanted is None else "change"
    shown = _shown(piece, present, wanted)
    asks, spent = content.asks("uninstall", present), _spent(content, backups, wanted)
    return Change("uninstall", verb, piece, present, wanted, asks, shown, spent=spent)


def _spent(content: Content, backups: dict[str, bytes], restored: bytes | None) -> tuple[str, ...]:
    """Return the backup that equals the restored content, and those that differ from it only by our part."""
    same = [path for path, backup in backups.items() if backup == restored][:1]
    if restored is not None and not same:
        return ()
    return (*same, *(path for path, backup in backups.items() if content.is_between(backup, restored)))


def _shown(piece: Piece, present: bytes | None, wanted: bytes | None) -> str:
    """Return the difference of the parts that may be shown.

    If a file of our own is removed, that is how it differs from the one we wrote.
    """
    if not piece.content.keeps_backups and wanted is None:
        ours = piece.content.installed(None)
        return difference(("ai-bridge", ours), (piece.path, present or b"")) if present != ours else ""
    if not piece.content.keeps_backups and present is None:
        return ""
    name = piece.path if piece.content.keeps_backups else "ai-bridge"
    return difference((piece.path, piece.content.shown(present)), (name, piece.content.shown(wanted)))


def present_at(path: str) -> bytes | None:
    """Return the file's content, None if there is no file; raises `CannotChange`."""
    if not os.path.lexists(path):
        return None
    if not os.path.isfile(path):
        raise CannotChange(path=path, why="it is no regular file")
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise CannotChange(path=path, why=error.strerror or error) from None


def present_or_none(path: str) -> bytes | None:
    """Return the file's content; None if the file is missing or cannot be read."""
    with suppress(CannotChange):
        return present_at(path)
    return None


def agree(steps: list[Change], consents: Callable[[list[Change]], bool]) -> None:
    """Ask once if any step needs consent; raises `Differs`, which names the first such step, if it is refused."""
    asking = [step for step in steps if step.needs_consent]
    if asking and not consents(asking):
        raise Differs(path=asking[0].piece.path, verb=asking[0].verb)


# --- carrying it out --------------------------------------------------------------------------------------


def carry_out(steps: list[Change]) -> Iterator[tuple[Change, str | None]]:
    """Do each step, then yield it with the path of the backup that was kept (None: none was).

    Changes the disk as it is iterated. Raises `CannotChange`, `ChangedMeanwhile`.
    """
    for step in steps:
        try:
            yield _done(step) if step.does else (step, None)
        except OSError as error:
            raise CannotChange(path=step.piece.path, why=error.strerror or error) from None


def _done(step: Change) -> tuple[Change, str | None]:
    """Do the step for the file as it is now; try again if its client writes it at the same moment."""
    for _ in range(_TRIES):
        step = _fresh(step)
        backup = _back_up(step.piece.path, step.present) if step.present is not None and _is_kept(step) else None
        if present_at(step.piece.path) == step.present:
            _do(step)
            return step, backup
        if backup is not None:
            durable.remove(backup)
    raise ChangedMeanwhile(path=step.piece.path)


def _fresh(step: Change) -> Change:
    """Return the step for the file as it is now, because clients may write their files at any time."""
    if present_at(step.piece.path) == step.present:
        return step
    fresh = _step(step.command, step.piece)
    if fresh.difference != step.difference or fresh.needs_consent > step.needs_consent:
        raise ChangedMeanwhile(path=step.piece.path)
    return fresh


def _do(step: Change) -> None:
    path = step.piece.path
    if step.wanted is None:
        durable.remove(path, flush=True)
    else:
        put_config(os.path.realpath(path) if step.piece.content.through_links else path, step.wanted, step.piece.mode)
    for spent in step.spent:
        durable.remove(spent, flush=True)
    if step.wanted is None:
        remove_empty(os.path.dirname(path), step.piece.base)


def _is_kept(step: Change) -> bool:
    """Tell whether to keep a backup: not of content that is ours alone, or that a backup already holds."""
    if not step.piece.content.keeps_backups:
        return step.needs_consent
    return step.needs_consent or not (step.spent or step.wanted is None)


def _backups(path: str) -> dict[str, bytes]:
    """Return the backups of a file by their paths, the newest first."""
    directory, name = os.path.split(path)
    pattern = re.compile(re.escape(name) + r"\.bak(\d*)")
    found = [match for entry in os.listdir(directory) if (match := pattern.fullmatch(entry))]
    found.sort(key=lambda match: int(match[1] or 0), reverse=True)
    paths = [os.path.join(directory, match[0]) for match in found]
    return {path: content for path in paths if (content := present_or_none(path)) is not None}


def _back_up(path: str, content: bytes) -> str:
    """Keep `content` beside `path`, under the first free backup name; returns the path."""
    number = 0
    while True:
        backup = f"{path}.bak{number or ''}"
        try:
            durable.write_new(backup, content, mode=os.stat(path).st_mode & 0o777)
        except FileExistsError:
            number += 1
        else:
            durable.flush_directory(os.path.dirname(backup))
            return backup
