"""The commands that put mail away: archive, withdraw, discard."""

from __future__ import annotations

import sys

import click

from ai_bridge import clients
from ai_bridge.agents import identity, person
from ai_bridge.archive import deletion, threads
from ai_bridge.archive.deletion import Doomed
from ai_bridge.archive.discard import discard_copies
from ai_bridge.archive.threads import Run
from ai_bridge.archive.wishes import A_PERSON
from ai_bridge.archive.withdraw import End, take_back_all
from ai_bridge.cli.common import common, complete_ids, echo_json, view
from ai_bridge.errors import BridgeError
from ai_bridge.history import meant
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.reference import View
from ai_bridge.system import times
from ai_bridge.text import counted, printable


class NotAsked(BridgeError):
    sentence = (
        "--delete would delete {count} for good, and there is no terminal to ask on: nothing was deleted; "
        "use --yes to say so beforehand"
    )


@click.command()
@click.option("--older-than", "age", metavar="AGE", required=True, help="0s, 90m, 2h, 30d: since the last message.")
@click.option("--delete", is_flag=True, help="Then delete archived mail of that age for good, after a question.")
@click.option("--yes", is_flag=True, help="With --delete: do not ask.")
@common()
def archive(where: Tree, agent: str | None, age: str, delete: bool, yes: bool, as_json: bool) -> None:
    """Archive read mail, by whole threads whose last message is older than AGE, and malformed files of that age.

    Archived mail is found as before, by history, search, threads and show.
    """
    if delete:
        person.refuse_clients("to delete mail")
    age_s = times.parse_duration(age, "--older-than")
    run = _archived(where, age_s)
    _print_run(run, threads.ask_elsewhere(where, age_s, run), as_json)
    if delete:
        _delete(deletion.due(where, age_s), yes, as_json)


def _print_run(run: Run, asked: list[str], as_json: bool) -> None:
    if as_json:
        echo_json([{"messages": run.messages, "threads": run.threads, "elsewhere": run.elsewhere}])
        return
    click.echo(f"archived {counted(run.messages, 'message')} of {counted(run.threads, 'thread')}")
    for machine in asked:
        click.echo(f"asked: {machine} does it for {counted(run.elsewhere[machine], 'message')}")


def _delete(doomed: Doomed, yes: bool, as_json: bool) -> None:
    """Delete what is due once a person says so; raises `NotAsked` if there is nobody to ask."""
    count = f"{counted(len(doomed.messages), 'message')} and {counted(len(doomed.attached), 'attachment')}"
    if (doomed.messages or doomed.attached) and not yes:
        if sys.stdin is None or not sys.stdin.isatty():
            raise NotAsked(count=count)
        if not click.confirm(f"delete {count} for good?", err=True):
            click.echo("nothing was deleted", err=True)
            raise click.exceptions.Exit(1)
    attached = deletion.delete(doomed)
    if as_json:
        echo_json([{"deleted": len(doomed.messages), "attachments": attached}])
    else:
        click.echo(f"deleted {counted(len(doomed.messages), 'message')} and {counted(attached, 'attachment')}")


def _archived(where: Tree, age_s: float) -> Run:
    """Archive what is due, and show how far it is on standard error, if that is a terminal."""
    run = Run()
    is_shown = sys.stderr is not None and sys.stderr.isatty()
    try:
        for _ in threads.steps(where, age_s, run):
            if is_shown:
                said = f"{run.messages} of {run.due} messages archived" if run.due else "looking for old threads"
                click.echo(f"\r{said}", err=True, nl=False)
    finally:
        if is_shown:
            click.echo("\r\x1b[K", err=True, nl=False)
    return run


@click.command()
@click.argument("id_", metavar="ID", shell_complete=complete_ids)
@common()
def withdraw(where: Tree, agent: str | None, id_: str, as_json: bool) -> None:
    """Take back a message that I sent, from each recipient that has not read it yet; exit code 1 if any has."""
    me = person.refuse_clients_as(where, identity.who(where, agent).address)
    _print_ends(meant.message(where, id_, View(me), lambda exact: take_back_all(where, me, exact)), as_json)


@click.command()
@click.argument("id_", metavar="ID", shell_complete=complete_ids)
@common()
def discard(where: Tree, agent: str | None, id_: str, as_json: bool) -> None:
    """Put a malformed or held message, by ID or file name, into the archive, where it is kept with its reason."""
    by, mine = _discarder(where, agent), view(where, agent)
    _print_ends(meant.message(where, id_, mine, lambda exact: discard_copies(where, exact, by, mine)), as_json)


def _discarder(where: Tree, agent: str | None) -> str:
    """Return the address of the agent whose client runs the command, or `A_PERSON`."""
    if not clients.variable_set():
        return A_PERSON
    return person.refuse_clients_as(where, identity.who(where, agent).address)


def _as_json(end: End) -> dict[str, object]:
    place = end.place
    return {"id": place.id, "to": place.recipient, "state": place.state, "done": end.done, "what": end.what}


def _print_ends(ends: list[End], as_json: bool) -> None:
    """Print what became of each copy; exit code 1 if it is not what was wanted."""
    if as_json:
        echo_json(map(_as_json, ends))
    else:
        for end in ends:
            click.echo(f"{printable(end.place.id)} → {printable(end.place.recipient) or '?'}: {printable(end.what)}")
    if not all(end.done for end in ends):
        raise click.exceptions.Exit(1)
