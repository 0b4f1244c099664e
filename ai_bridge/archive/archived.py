"""Moves files into the archive: many read ones at once, or one that nobody read, with the reason beside it."""

import os
from contextlib import suppress

from ai_bridge.mailboxes import changes
from ai_bridge.mailboxes.file_names import shortened, variant
from ai_bridge.mailboxes.outbox import ARCHIVED, ENDED, HELD, MALFORMED, MOVES, READ, REASON, Outbox
from ai_bridge.mailboxes.states import month_of
from ai_bridge.system import durable, untrusted


def archive_read(outbox: Outbox, names: list[str]) -> int:
    """Move these read files to the archive, and return how many were there to be moved.

    Flushes nothing but new directories: the caller calls `remove_stale_reasons` before, and `flush` at the end.
    Raises OSError.
    """
    by_month: dict[str, list[str]] = {}
    for name in names:
        by_month.setdefault(month_of(name), []).append(name)
    source, archive = untrusted.real_directory(outbox.directory(READ)), outbox.directory(ARCHIVED)
    moved = 0
    for month, files in by_month.items():
        directory = os.path.join(archive, month)
        outbox.make_month(directory)
        moved += sum(_move_one(outbox, f"{source}{os.sep}{name}", f"{directory}{os.sep}{name}") for name in files)
        changes.report(os.path.dirname(outbox.path), directory)
    changes.report(os.path.dirname(outbox.path), source)
    return moved


def _move_one(outbox: Outbox, source: str, target: str) -> bool:
    try:
        return durable.move(source, target)
    except FileExistsError:  # an older message of that name is archived, or a process that died reserved the name
        return bool(outbox.move_to_free("archive read", os.path.basename(source)))


def remove_stale_reasons(outbox: Outbox, names: list[str]) -> None:
    """Remove what a process left that wrote a reason and died before its move; the files `names` were read since.

    Lists the months once. Raises OSError.
    """
    directories = outbox.months()
    there = {name: directory for directory in directories for name in untrusted.listed(directory)}
    endings = [ending for ending in (REASON, ENDED) if any(name.endswith(ending) for name in there)]
    for stale in (f"{name}{ending}" for name in names if endings and name not in there for ending in endings):
        if stale in there:
            durable.remove(os.path.join(there[stale], stale))


def archive_malformed(outbox: Outbox, name: str, more: str = "", verb: str = "archive malformed") -> str:
    """Move a malformed file to the archive, its reason with it; `more`, if given, is a further line of the reason.

    Its name there always has a number, so that a message's proper name stays free for the message. Returns that name,
    '' if another process was first. Flushes the reason alone. Raises OSError.
    """
    try:
        why = untrusted.read_start(outbox.file(MALFORMED, name) + REASON, 65536).decode("utf-8", "replace").strip()
    except OSError:
        why = "the reason is not known"
    return put_away(outbox, verb, name, f"{why}\n{more}".strip(), REASON)


def put_away(outbox: Outbox, verb: str, name: str, why: str, ending: str = ENDED, wanted: str = "") -> str:
    """Move one file that nobody read to the archive, and return its name there, '' if another process was first.

    The reason is written first, durably, beside the file's new name, which is `wanted` if that is given. The new name
    of a malformed file, whose reason has the ending REASON, always has a number. A reason that the file had before
    goes. Raises OSError.
    """
    here, number = outbox.file(MOVES[verb][0], name), int(ending == REASON)
    while True:
        kept = variant(shortened(wanted or name), number)
        target = outbox.file(ARCHIVED, kept)
        number += 1
        if os.path.lexists(target) and not (untrusted.is_same(here, target) or untrusted.is_reservation(target)):
            continue
        outbox.make_month(os.path.dirname(target))
        durable.replace_own(target + ending, f"{why}\n".encode("utf-8", "backslashreplace"))
        if moved := _is_moved(outbox, verb, name, kept):
            if MOVES[verb][0] in (HELD, MALFORMED):
                durable.remove(here + REASON)
            return kept
        if not _is_taken(here, target):
            with suppress(OSError):
                durable.remove(target + ending)
        if moved is not None:
            return ""


def _is_moved(outbox: Outbox, verb: str, name: str, kept: str) -> bool | None:
    """Make the move; False if another process was first, None if the name was taken meanwhile."""
    try:
        return outbox.move(verb, name, kept)
    except FileExistsError:
        return None


def _is_taken(here: str, target: str) -> bool:
    """Tell whether another file has the name `target`, and a reason beside it may be that file's."""
    return os.path.lexists(target) and not untrusted.is_same(here, target)


def flush(outboxes: list[Outbox], *states: str) -> None:
    """Make all moves from these states to the archive durable; a month that is long past is flushed, too."""
    for outbox in outboxes:
        for directory in [*map(outbox.directory, states), *outbox.months()]:
            durable.flush_directory(directory)
