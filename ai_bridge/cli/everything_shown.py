"""`ai-bridge uninstall --everything`: shows what goes and what stays, asks, and takes out each part by itself."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from ai_bridge.agents import person
from ai_bridge.cli.changes_shown import show_failed
from ai_bridge.cli.common import echo_json
from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.install import everything
from ai_bridge.install.everything import Part
from ai_bridge.text import printable

_COMMAND = "`ai-bridge uninstall --everything`"


class Declined(BridgeError):
    sentence = "nothing was changed, because you did not agree"


class NeedsConsent(BridgeError):
    sentence = f"nothing was changed: {_COMMAND} asks first, so run it in a terminal, or add --yes"


def take_out(unregister: Callable[[], bool], yes: bool, dry_run: bool, as_json: bool) -> None:
    """Take out all parts and, by `unregister`, the clients' registrations; it returns False if a client had trouble.

    Raises `ForPersons` in a client's shell, `NeedsConsent` and `Declined`, all before anything is changed. Raises
    `Exit` with 1 if a part had trouble; the others are taken out all the same.
    """
    person.refuse_clients(_COMMAND)
    if not (yes or dry_run or (not as_json and _is_terminal())):
        raise NeedsConsent
    first, last, stay = everything.at_work(), everything.folders(), everything.of_projects()
    _show([*first, *last], stay, dry_run, as_json)
    if not (yes or dry_run or click.confirm("Take all of this out?")):
        raise Declined
    done = [_is_done(part) for part in first if not dry_run]
    if not dry_run:
        _name_running()
    done += [_is_unregistered(unregister), *(_is_done(part) for part in last if not dry_run)]
    if not all(done):
        raise click.exceptions.Exit(1)
    if not (dry_run or as_json):
        click.echo("all of this is taken out; the program itself stays until you uninstall its package")


def _is_terminal() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def _show(parts: list[Part], stay: list[str], dry_run: bool, as_json: bool) -> None:
    """Show what goes, with its path and what a person should know, and what stays."""
    if as_json:
        goes = [(part, f"would-{part.verb}" if dry_run else part.verb) for part in parts]
        echo_json({"what": part.what, "path": part.path, "action": verb, "note": part.note} for part, verb in goes)
        echo_json(
            {"what": "mailboxes", "path": path, "action": "keep", "note": everything.by_hand(path)} for path in stay
        )
        return
    click.echo("to remove: the registrations with all clients")
    for part in parts:
        click.echo(f"to {part.verb}: {part.what} {printable(part.path)}" + (f" {part.note}" if part.note else ""))
    for path in stay:
        click.echo(
            f"stays: mailboxes {printable(path)} of a project; by hand: `{printable(everything.by_hand(path))}`"
        )


def _is_unregistered(unregister: Callable[[], bool]) -> bool:
    try:
        return unregister()
    except BridgeError as refusal:
        show_failed(refusal)
        return False


def _is_done(part: Part) -> bool:
    """Take out one part; False if it had trouble, which is reported in one sentence."""
    try:
        part.take_out()
    except BridgeError as refusal:
        show_failed(refusal)
    except OSError as error:
        show_failed(disk_error(part.path, error))
    else:
        return True
    return False


def _name_running() -> None:
    """Name the processes that still hold a lock: they are a person's to end."""
    for line in everything.still_running():
        click.echo(f"warning: {printable(line)} still runs, and may write state again: end it", err=True)
