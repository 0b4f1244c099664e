"""The commands install and uninstall: they put our files and entries where a client reads them, or remove them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from ai_bridge import clients
from ai_bridge.agents import setup
from ai_bridge.cli.common import common, echo_json
from ai_bridge.install.changes import plan_changes
from ai_bridge.install.entries import Choice
from ai_bridge.install.places import SCOPES, is_there
from ai_bridge.install.plan import Change, NotPlain, Piece, agree, carry_out, planned
from ai_bridge.install.plugin import plugin_pieces
from ai_bridge.install.trust import trust_pieces
from ai_bridge.mailboxes import find
from ai_bridge.text import printable

_CLIENTS = [client.name for client in clients.registrable()]
# The clients that ask before they run hooks.
_ASKING = [client for client in clients.registrable() if client.hooks.trust]
_PLUGINS = [
    f"{client.files.plugin.kind} of {client.title}" for client in clients.registrable() if client.files.plugin
]
_DONE = {"write": "written", "change": "changed", "replace": "replaced", "remove": "removed"}


def _options(command: Callable[..., None]) -> Callable[..., None]:
    command = common("The address of the server, for every session.")(command)
    command = click.option("--yes", is_flag=True, help="Do not ask before files that differ from ours.")(command)
    command = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")(command)
    return click.option(
        "--scope",
        type=click.Choice(SCOPES),
        default="user",
        show_default=True,
        help="For you everywhere, or in this project.",
    )(command)


@click.command()
@click.argument("client", type=click.Choice([*_CLIENTS, "all"]), required=False)
@click.option(
    "--trust-hooks",
    is_flag=True,
    help=f"Tell {' and '.join(one.title for one in _ASKING)} that you trust these hooks: else it asks, once.",
)
@click.option("--plugin", metavar="DIR", help=f"Write {' and '.join(_PLUGINS)} there.")
@_options
def install(client: str | None, plugin: str | None, trust_hooks: bool, **options: Any) -> None:
    """Register server, hooks and the advisor skill with a client, in its own files. All else in them stays.

    If an entry there differs from ours, it is replaced only if you agree. --mailboxes (or AI_BRIDGE_MAILBOXES) and
    --agent are written into the files. Without them the server uses the mailboxes nearest to the project.
    """
    _check(client, plugin, trust_hooks)
    pieces = None if plugin is None else plugin_pieces(plugin, _choice(options))
    if named := find.named(options["where"]):
        setup.adopt_existing(
            named, options["dry_run"]
        )  # because a client alone cannot adopt what is written into its files
    _run("install", client, pieces=pieces, is_trusted=trust_hooks, **options)
    for name in _asking(client) if trust_hooks else ():
        _run("install", name, pieces=trust_pieces(name, options["scope"], _choice(options)), **options)


@click.command()
@click.argument("client", type=click.Choice([*_CLIENTS, "all"]))
@_options
def uninstall(client: str, **options: Any) -> None:
    """Remove what install wrote, and directories that are then empty. Changed entries go only if you agree."""
    asking, choice = _asking(client), _choice(options)
    trust = [piece for name in asking for piece in trust_pieces(name, options["scope"], choice)]
    _run("uninstall", client, first=[piece for piece in trust if _is_there(piece)], **options)


def _check(client: str | None, plugin: str | None, trust_hooks: bool) -> None:
    """Raise `UsageError` if the arguments of install do not go together."""
    if (client is None) == (plugin is None):
        raise click.UsageError("name a CLIENT, or a directory with --plugin.")
    if trust_hooks and not _asking(client):
        names = " or ".join(one.name for one in _ASKING)
        only = "the only client that asks" if len(_ASKING) == 1 else "the only clients that ask"
        raise click.UsageError(f"--trust-hooks goes with {names}, {only}.")


def _asking(client: str | None) -> list[str]:
    """Return the clients, among those named, that ask before they run hooks."""
    return [one.name for one in _ASKING if client in (one.name, "all")]


def _choice(options: dict[str, Any]) -> Choice:
    return Choice.from_options(options["where"], options["agent"])


def _is_there(piece: Piece) -> bool:
    return any(step.does for step in planned("uninstall", [piece]))


def _run(
    verb: str,
    client: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    first: Sequence[Piece] = (),
    is_trusted: bool = False,
    **options: Any,
) -> None:
    """Plan, ask, and carry out. After consent, `first` is done before the rest: both may change one file."""
    steps = _planned(verb, client, as_json, **options)
    if dry_run:
        _show(steps, as_json)
        for step in steps:
            _report(step, f"would-{step.verb}" if step.does else step.verb, None, as_json, list(step.notes))
        return
    agree(steps, lambda asking: _consents(steps, asking, yes, as_json))
    if first:
        _run(verb, None, dry_run, yes, as_json, pieces=list(first), **options)
        steps = _planned(verb, client, as_json, **options)
    if not any(step.needs_consent for step in steps):
        _show(steps, as_json)
    for step, backup in carry_out(steps):
        advice = clients.by_name(step.piece.client).hooks.advice if is_trusted else None
        notes = [note for note in step.notes if note != advice]
        _report(step, _DONE.get(step.verb, step.verb), backup, as_json, notes)


def _planned(
    verb: str,
    client: str | None,
    as_json: bool,
    scope: str,
    pieces: list[Piece] | None = None,
    **options: Any,
) -> list[Change]:
    """Return the steps; if a file cannot be changed safely, show what a person would write into it."""
    try:
        if pieces is not None:
            return planned(verb, pieces)
        return plan_changes(verb, _clients(verb, client or "", scope, as_json), scope, _choice(options))
    except NotPlain as refusal:
        if not as_json:
            click.echo(printable(refusal.by_hand, keep="\n"), nl=False)
        raise


def _clients(verb: str, client: str, scope: str, as_json: bool) -> list[str]:
    """Return the clients named. To install all, return those on this machine and report which ones are not."""
    if client != "all":
        return [client]
    there = [name for name in _CLIENTS if verb == "uninstall" or is_there(name, scope)]
    for name in [name for name in _CLIENTS if name not in there]:
        if as_json:
            echo_json([{"client": name, "path": None, "action": "skipped"}])
        else:
            click.echo(f"{name}: skipped, for it is not on this machine (`ai-bridge install {name}` does it anyway)")
    return there


def _consents(steps: list[Change], asking: list[Change], yes: bool, as_json: bool) -> bool:
    """Tell whether the person agrees: by --yes, or by one answer on the terminal after all differences are shown."""
    may_ask = not as_json and all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
    if not yes and not may_ask:
        return False
    _show(steps, as_json)
    changes = ", ".join(f"{step.verb} {printable(step.piece.path)}" for step in asking)
    return yes or click.confirm(f"{changes[0].upper()}{changes[1:]} (a backup is kept)?")


def _show(steps: list[Change], as_json: bool) -> None:
    """Show the changes. Show only our part of other programs' files, because the rest may be secret."""
    for step in [] if as_json else steps:
        click.echo(printable(step.difference, keep="\n\t"), nl=False)


def _report(step: Change, action: str, backup: str | None, as_json: bool, notes: list[str]) -> None:
    piece = step.piece
    if as_json:
        about = {"what": piece.what, "backup": backup, "difference": step.difference, "notes": notes}
        echo_json([{"client": piece.client, "path": piece.path, "action": action, **about}])
        return
    kept = f" (before: {printable(backup)})" if backup else ""
    click.echo(f"{piece.client}: {action} {printable(piece.path)}{kept}")
    for note in notes:
        click.echo(f"{piece.client}: {printable(note)}")
