"""The command sync: let Syncthing keep the mailboxes in step with other machines, and report its state."""

from __future__ import annotations

import click

from ai_bridge.cli.common import common, echo_json
from ai_bridge.machines.syncthing import api, setup, status
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.text import printable


@click.command()
@click.argument("verb", metavar="[setup|status]", type=click.Choice(["setup", "status"]), default="status")
@click.option("--with", "devices", metavar="DEVICE", multiple=True, help="setup: another machine's device ID.")
@click.option("--address", "addresses", metavar="URL", multiple=True, help="setup: its address (else it is found).")
@click.option("--folder", metavar="ID", help="setup: the folder's ID, the same on all machines.")
@click.option("--syncthing-home", "home", metavar="DIR", help="setup: the directory of Syncthing's settings.")
@common()
def sync(
    where: Tree,
    agent: str | None,
    verb: str,
    devices: tuple[str, ...],
    addresses: tuple[str, ...],
    folder: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Set Syncthing up for the mailboxes, or show how its link stands (exit code 1 if something is wrong)."""
    if verb == "setup":
        syncthing = api.found(home)
        done = setup.set_up(where, syncthing, list(devices), list(addresses), folder or setup.default_folder(where))
        for sentence in done:
            click.echo(printable(sentence), err=as_json)
    _status(where, as_json, is_asked=verb == "status")


def _status(where: Tree, as_json: bool, is_asked: bool) -> None:
    found = status.status_of(where)
    if found is None:
        click.echo("Syncthing is not set up for these mailboxes: `ai-bridge sync setup`", err=as_json)
        return
    if as_json:
        echo_json([found.as_json()])
    else:
        click.echo(printable(str(found)))
        for trouble in found.troubles:
            click.echo(printable(trouble))
    if found.troubles and is_asked:
        raise click.exceptions.Exit(1)
