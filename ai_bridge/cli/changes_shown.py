"""How install and uninstall show their changes, and report what was done."""

from __future__ import annotations

import click

from ai_bridge.cli.common import echo_json
from ai_bridge.install.plan import Change
from ai_bridge.text import printable

_DONE = {"write": "written", "change": "changed", "replace": "replaced", "remove": "removed"}


def show(steps: list[Change], as_json: bool, with_new: bool = False) -> None:
    """Show the changes, those of new files only if `with_new`.

    This shows only our part of other programs' files, because the rest may be secret.
    """
    for step in [] if as_json else steps:
        if with_new or step.verb != "write":
            click.echo(printable(step.difference, keep="\n\t"), nl=False)


def report_done(step: Change, backup: str | None, as_json: bool, notes: list[str]) -> None:
    """Report that a step was carried out."""
    report(step, _DONE.get(step.verb, step.verb), backup, as_json, notes)


def report(step: Change, action: str, backup: str | None, as_json: bool, notes: list[str]) -> None:
    """Print one line for a step, or its object, and one for each note."""
    piece = step.piece
    if as_json:
        about = {"what": piece.what, "backup": backup, "difference": step.difference, "notes": notes}
        echo_json([{"client": piece.client, "path": piece.path, "action": action, **about}])
        return
    kept = f" (before: {printable(backup)})" if backup else ""
    click.echo(f"{piece.client}: {action} {printable(piece.path)}{kept}")
    for note in notes:
        click.echo(f"{piece.client}: {printable(note)}")


def show_by_hand(lines: str, as_json: bool) -> None:
    """Show the lines that a person writes into a file that install cannot change; '' for none."""
    if not as_json:
        click.echo(printable(lines, keep="\n"), nl=False)


def show_skipped(client: str, as_json: bool) -> None:
    """Report that a client is not on this machine, so that nothing is done for it."""
    if as_json:
        echo_json([{"client": client, "path": None, "action": "skipped"}])
    else:
        click.echo(f"{client}: skipped, for it is not on this machine (`ai-bridge install {client}` does it anyway)")


def show_failed(refusal: Exception) -> None:
    """Report on standard error why nothing more was done for a client."""
    click.echo(f"error: {refusal}", err=True)


def show_next(titles: list[str]) -> None:
    """Say what a person does after an installation for the clients with these titles."""
    if titles:
        click.echo(
            f"Next: restart {', '.join(titles)}. In your project, run `ai-bridge init`, then `ai-bridge doctor`."
        )
