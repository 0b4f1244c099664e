"""The commands install and uninstall: they put our files and entries where a client reads them, or remove them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import click

from ai_bridge import clients
from ai_bridge.agents import setup
from ai_bridge.cli import changes_shown, everything_shown
from ai_bridge.cli.common import common
from ai_bridge.clients.files import PROJECT
from ai_bridge.errors import BridgeError
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
# The clients whose sandbox has a list of directories that their shells may write.
_SANDBOXED = [one for one in clients.registrable() if any(file.roots for file in one.files.config)]
_PLUGINS = [
    f"{client.files.plugin.kind} of {client.title}" for client in clients.registrable() if client.files.plugin
]


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
@click.option(
    "--writable-roots",
    is_flag=True,
    help=f"Let {' and '.join(one.title for one in _SANDBOXED)} write mailboxes and state from its sandboxed shell, "
    "so that `ai-bridge send` works there.",
)
@click.option("--plugin", metavar="DIR", help=f"Write {' and '.join(_PLUGINS)} there.")
@_options
def install(client: str | None, plugin: str | None, trust_hooks: bool, writable_roots: bool, **options: Any) -> None:
    """Register server, hooks and the advisor skill with a client, in its own files. All else in them stays.

    If an entry there differs from ours, it is replaced only if you agree. --mailboxes (or AI_BRIDGE_MAILBOXES) and
    --agent are written into the files. Without them the server uses the mailboxes nearest to the project.
    """
    _check(client, plugin, trust_hooks, options)
    _check_roots(client, writable_roots, options)
    if named := find.named(options["where"]):
        # A client alone cannot adopt the mailboxes that are written into its files.
        setup.adopt_existing(named, options["dry_run"])
    run = _Run("install", client, is_trusted=trust_hooks, lets_shell_write=writable_roots, **options)
    run.all_of(None if plugin is None else plugin_pieces(plugin, _choice(options)))
    if trust_hooks:
        run.trust(_asking(client))
    run.end()


@click.command()
@click.argument("client", type=click.Choice([*_CLIENTS, "all"]), required=False)
@click.option("--everything", is_flag=True, help="Also services, your own mailboxes, settings and state.")
@_options
def uninstall(client: str | None, everything: bool, **options: Any) -> None:
    """Remove what install wrote, and directories that are then empty. Changed entries go only if you agree.

    --everything also stops the routers, and takes out their services, your own mailboxes, your settings and the
    state. It shows first what goes, and asks. Mailboxes of projects stay, and are named.
    """
    if (client is None) != everything:
        raise click.UsageError("name a CLIENT, or give --everything.")
    if everything:
        _take_out(**options)
    else:
        _unregistered(client, **options).end()


def _take_out(dry_run: bool, yes: bool, as_json: bool, scope: str, where: str | None, agent: str | None) -> None:
    """Take out all that this program keeps for its user; raises what `everything_shown.take_out` does."""
    if scope == PROJECT or where or agent:
        raise click.UsageError("--everything is all that is yours: leave out --scope, --mailboxes and --agent.")
    options = {"dry_run": dry_run, "yes": yes, "as_json": as_json}

    def unregister() -> bool:
        return not _unregistered("all", scope=scope, where=None, agent=None, **options).failed

    everything_shown.take_out(unregister, **options)


def _unregistered(client: str | None, **options: Any) -> _Run:
    """Remove what install wrote for a client or all; returns the run, which knows what had trouble."""
    asking, choice = _asking(client), _choice(options)
    trust = [piece for name in asking for piece in trust_pieces(name, options["scope"], choice)]
    run = _Run("uninstall", client, **options)
    run.all_of(first=[piece for piece in trust if _is_there(piece)])
    return run


def _check(client: str | None, plugin: str | None, trust_hooks: bool, options: dict[str, Any]) -> None:
    """Raise `UsageError` if the arguments of install do not go together."""
    if (client is None) == (plugin is None):
        raise click.UsageError("name a CLIENT, or a directory with --plugin.")
    if trust_hooks and not _asking(client):
        names = " or ".join(one.name for one in _ASKING)
        only = "the only client that asks" if len(_ASKING) == 1 else "the only clients that ask"
        raise click.UsageError(f"--trust-hooks goes with {names}, {only}.")
    if client is not None and options["scope"] == PROJECT and options["where"]:
        raise click.UsageError(
            "a project's files are for everybody, and --mailboxes names a path of this machine: leave it out (each "
            "server finds the mailboxes nearest to the project), or use --scope user."
        )


def _check_roots(client: str | None, writable_roots: bool, options: dict[str, Any]) -> None:
    """Raise `UsageError` if --writable-roots does not go with the other arguments of install."""
    if not writable_roots:
        return
    if client not in [*(one.name for one in _SANDBOXED), "all"]:
        names = " or ".join(one.name for one in _SANDBOXED)
        raise click.UsageError(f"--writable-roots goes with {names}, whose settings have such a list.")
    if options["scope"] == PROJECT:
        raise click.UsageError(
            "a project's files are for everybody, and --writable-roots names paths of this machine: use --scope user."
        )


def _asking(client: str | None) -> list[str]:
    """Return the clients, among those named, that ask before they run hooks."""
    return [one.name for one in _ASKING if client in (one.name, "all")]


def _choice(options: dict[str, Any]) -> Choice:
    return Choice.from_options(options["where"], options["agent"])


def _is_there(piece: Piece) -> bool:
    return any(step.does for step in planned("uninstall", [piece]))


class _Run:
    """One run of install or uninstall, for one client or for all. One client's trouble does not stop the others."""

    def __init__(
        self, verb: str, client: str | None, dry_run: bool, yes: bool, as_json: bool, scope: str, **options: Any
    ) -> None:
        self.failed: set[str] = set()
        self._verb, self._dry_run, self._yes, self._as_json, self._scope = verb, dry_run, yes, as_json, scope
        self._is_trusted = bool(options.pop("is_trusted", False))
        lets_shell_write = bool(options.pop("lets_shell_write", False))
        self._choice = replace(_choice(options), lets_shell_write=lets_shell_write)
        self._is_for_all = client == "all"
        self._names = [] if client is None else [client] if client != "all" else self._all()
        self._changed: list[str] = []

    def _all(self) -> list[str]:
        """Return all clients; to install for this user, those on this machine, and report which ones are not."""
        if self._verb == "uninstall" or self._scope == PROJECT:
            return _CLIENTS
        there = [name for name in _CLIENTS if is_there(name, self._scope)]
        for name in [name for name in _CLIENTS if name not in there]:
            changes_shown.show_skipped(name, self._as_json)
        return there

    def all_of(self, pieces: list[Piece] | None = None, first: Sequence[Piece] = ()) -> None:
        """Plan, ask, and carry out: the pieces given, else those of the clients.

        After consent, `first` is done before the rest, because both may change one file.
        """
        steps = self._planned(pieces)
        if self._dry_run:
            changes_shown.show(steps, self._as_json, with_new=True)
            for step in steps:
                action = f"would-{step.verb}" if step.does else step.verb
                changes_shown.report(step, action, None, self._as_json, list(step.notes))
            return
        agree(steps, lambda asking: self._consents(steps, asking))
        if first:
            self.all_of(list(first))
            steps = self._planned(pieces)
        if not any(step.needs_consent for step in steps):
            changes_shown.show(steps, self._as_json)
        done: list[tuple[Change, str | None]] = []
        try:
            for client in dict.fromkeys(step.piece.client for step in steps):
                with self._alone(client):
                    for one in carry_out([step for step in steps if step.piece.client == client]):
                        done.append(one)
        finally:  # after all changes: an output that takes nothing must not leave half of them undone
            self._report(done)

    def trust(self, names: list[str]) -> None:
        """Record that the user trusts the hooks of these clients, unless a client had trouble before."""
        for name in [name for name in names if name not in self.failed]:
            self.all_of(trust_pieces(name, self._scope, self._choice))

    def _planned(self, pieces: list[Piece] | None) -> list[Change]:
        """Return the steps; if a file cannot be changed safely, show what a person would write into it."""
        if pieces is not None:
            return planned(self._verb, pieces)
        steps: list[Change] = []
        for name in self._names:
            if name not in self.failed:
                with self._alone(name):
                    steps += plan_changes(self._verb, [name], self._scope, self._choice)
        return steps

    @contextmanager
    def _alone(self, client: str) -> Iterator[None]:
        """Report a refusal for one client of several, and go on with the others."""
        try:
            yield
        except BridgeError as refusal:
            if isinstance(refusal, NotPlain):
                changes_shown.show_by_hand(refusal.by_hand, self._as_json)
            if not self._is_for_all:
                raise
            self.failed.add(client)
            changes_shown.show_failed(refusal)

    def _consents(self, steps: list[Change], asking: list[Change]) -> bool:
        """Tell whether the person agrees: by --yes, or by one answer on the terminal after the differences."""
        streams = (sys.stdin, sys.stdout)
        may_ask = not self._as_json and all(stream is not None and stream.isatty() for stream in streams)
        if not self._yes and not may_ask:
            return False
        changes_shown.show(steps, self._as_json)
        changes = ", ".join(f"{step.verb} {printable(step.piece.path)}" for step in asking)
        return self._yes or click.confirm(f"{changes[0].upper()}{changes[1:]} (a backup is kept)?")

    def _report(self, done: list[tuple[Change, str | None]]) -> None:
        for step, backup in done:
            client = clients.by_name(step.piece.client)
            advice = client.hooks.advice if self._is_trusted else None
            notes = [note for note in step.notes if note != advice]
            changes_shown.report_done(step, backup, self._as_json, notes)
            if step.does:
                self._changed.append(client.title)

    def end(self) -> None:
        """Say what to do next; raises `Exit` with 1 if a client had trouble."""
        if self._verb == "install" and self._names and not self._as_json:
            changes_shown.show_next(list(dict.fromkeys(self._changed)))
        if self.failed:
            raise click.exceptions.Exit(1)
