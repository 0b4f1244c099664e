"""The commands that set up and connect: init, config, mcp, demo."""

from __future__ import annotations

import json
import os

import click

from ai_bridge import cards, identity, mailboxes, settings, sharing
from ai_bridge.cli.group import common, echo_json
from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes import Mailboxes
from ai_bridge.text import printable

_DEFAULT_AGENTS = ("claude", "gemini")


@click.command()
@click.argument("addresses", metavar="[ADDRESS]...", nargs=-1)
@common()
def init(where: str | None, agent: str | None, addresses: tuple[str, ...], as_json: bool) -> None:
    """Make the mailboxes, with the agents claude and gemini unless others are named; again: add what is missing.

    Without --mailboxes or AI_BRIDGE_MAILBOXES: those found from here upwards, else ./mailboxes.
    """
    chosen = _chosen(where)
    asked = [*addresses, *([agent] if agent else [])]
    agents = asked or list(_DEFAULT_AGENTS)
    new = chosen.make(agents)
    for name in agents:
        cards.introduce(chosen, name, project=identity.project())
    if as_json:
        echo_json([{"mailboxes": chosen.path, "agents": chosen.agents(), "new": new}])
        return
    click.echo(
        f"mailboxes {printable(chosen.path)}: {', '.join(chosen.agents())}"
        + (f" (new: {', '.join(new)})" * bool(new))
    )


def _chosen(where: str | None) -> Mailboxes:
    """Return the mailboxes to make or to complete; only a directory that is new, empty or ours is taken."""
    named = where or os.environ.get("AI_BRIDGE_MAILBOXES")
    if not named:
        named = mailboxes.nearest(os.getcwd()) or os.path.join(os.getcwd(), "mailboxes")
    if os.path.isdir(named) and not _is_empty(named) and not mailboxes.is_mailboxes(named):
        raise BridgeError(
            what=f"{named} holds other things: name a directory that is new, empty or already mailboxes"
        )
    return Mailboxes(named)


def _is_empty(path: str) -> bool:
    """Tell whether there is nothing in a directory but what a sync tool put there."""
    return all(sharing.is_mark(name) for name in os.listdir(path))


@click.command()
@common()
def config(where: Mailboxes, agent: str | None, as_json: bool) -> None:
    """Each setting, its value and where it came from."""
    loaded = settings.load(where.path)
    for name, setting in settings.SETTINGS.items():
        value, origin = getattr(loaded, name), loaded.origins[name]
        if as_json:
            echo_json([{"key": name, "value": value, "origin": origin, "meaning": setting.meaning}])
        else:
            shown = _as_toml(value)
            click.echo(f"{name} = {shown}  # {origin}; {setting.meaning}")


def _as_toml(value: object) -> object:
    """Return a value as it is written in a settings file; a text stands as it is."""
    if isinstance(value, bool):
        return str(value).lower()
    return printable(json.dumps(list(value), ensure_ascii=False)) if isinstance(value, list | tuple) else value


@click.command()
@common()
def mcp(where: str | None, agent: str | None, as_json: bool) -> None:
    """Run the STDIO MCP server, for a client to start."""
    from ai_bridge.server.run import main

    main(where, agent)


@click.command()
@click.argument("client", type=click.Choice(["gemini"]))
@common()
def hook(where: str | None, agent: str | None, client: str, as_json: bool) -> None:
    """Answer a hook of CLIENT: what it is given comes on standard input, and new mail goes to standard output."""
    from ai_bridge.cli.hooking import run

    raise click.exceptions.Exit(run(client, where, agent))


@click.command()
@common()
def demo(where: str | None, agent: str | None, as_json: bool) -> None:
    """Two agents talk on throw-away mailboxes; exit 0 only if every step was seen."""
    from ai_bridge.cli.demo import run

    raise click.exceptions.Exit(run())
