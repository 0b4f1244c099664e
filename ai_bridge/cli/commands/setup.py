"""The commands that set up and connect: init, config, mcp, hook, demo."""

from __future__ import annotations

import json
import os

import click

from ai_bridge import clients, settings
from ai_bridge.agents import cards, identity, person
from ai_bridge.cli.common import common, echo_json
from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.mailboxes import adoption, find, tree
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import filesystems
from ai_bridge.text import printable

_DEFAULT_AGENTS = ("claude", "gemini")


@click.command()
@click.argument("addresses", metavar="[ADDRESS]...", nargs=-1)
@common()
def init(where: str | None, agent: str | None, addresses: tuple[str, ...], as_json: bool) -> None:
    """Make the mailboxes, with the agents claude and gemini unless others are named, or add what is missing.

    Without --mailboxes or AI_BRIDGE_MAILBOXES, it takes the mailboxes found from here upwards, else ./mailboxes.
    It adopts mailboxes that somebody else made: from then on their mail is moved and read.
    """
    chosen = _chosen(where)
    is_named = find.named(where) is not None
    is_new = _is_new(chosen.path)
    may_adopt = _may_adopt(chosen, is_named, is_new)
    asked = [*addresses, *([agent] if agent else [])]
    agents = asked or _default_agents(chosen)
    new = chosen.make(agents)
    if may_adopt:
        _adopt(chosen, is_named, is_new)
    for name in agents:
        cards.introduce(chosen, name, project=identity.project_name())
    if as_json:
        echo_json([{"mailboxes": chosen.path, "agents": chosen.agents(), "new": new}])
        return
    click.echo(
        f"mailboxes {printable(chosen.path)}: {', '.join(chosen.agents())}"
        + (f" (new: {', '.join(new)})" * bool(new))
    )


def _chosen(where: str | None) -> Tree:
    """Return the mailboxes to make or complete; raises `BridgeError` if the directory holds other things."""
    named = find.named(where)
    if not named:
        named = find.nearest(os.getcwd()) or os.path.join(os.getcwd(), "mailboxes")
    if os.path.isdir(named) and not _is_empty(named) and not tree.is_mailboxes(named):
        raise BridgeError(
            what=f"{named} holds other things: name a directory that is new, empty or already mailboxes"
        )
    return Tree(named)


def _default_agents(chosen: Tree) -> list[str]:
    """Return the agents to make if none is named; mailboxes that already have agents get no new ones."""
    there = chosen.agents() if tree.is_mailboxes(chosen.path) else []
    return [name for name in _DEFAULT_AGENTS if name in there] if there else list(_DEFAULT_AGENTS)


def _may_adopt(chosen: Tree, is_named: bool, is_new: bool) -> bool:
    """Tell whether this command may adopt the mailboxes: a client's shell adopts only mailboxes that it makes.

    In a client's shell it raises `ForPersons` if they exist, and were found or are in the project.
    """
    if not clients.variable_set() or is_new or find.is_adopted(chosen):
        return True
    if not is_named or adoption.is_in_project(chosen.path):
        person.refuse_clients(f"adopting {chosen.path}")
    click.echo(f"{printable(chosen.path)} is not adopted: that is for a person, in a terminal of their own", err=True)
    return False


def _adopt(chosen: Tree, is_named: bool, is_new: bool) -> None:
    """Adopt the mailboxes. If the user's list cannot be written, warn, because mailboxes that are named need no list.

    Raises `BridgeError` instead of the warning if they were not named.
    """
    try:
        if adoption.adopt(chosen.path) and not is_new:
            click.echo(f"adopted {printable(chosen.path)}: its mail is moved and read from now on", err=True)
    except OSError as error:
        trouble = disk_error(adoption.notes_file(), error)
        said = f"{chosen.path} is made but not adopted ({trouble}): name it each time with --mailboxes"
        if not is_named:
            raise BridgeError(what=said) from None
        click.echo(f"warning: {printable(said)}", err=True)


def _is_new(path: str) -> bool:
    """Tell whether the directory holds nothing that ai-bridge would obey: no outbox, no card, no settings."""
    names = os.listdir(path) if os.path.isdir(path) else []
    return all(name in tree.HARMLESS or filesystems.is_mark(name) for name in names)


def _is_empty(path: str) -> bool:
    """Tell whether a directory holds nothing but the marks of sync tools."""
    return all(filesystems.is_mark(name) for name in os.listdir(path))


@click.command()
@common()
def config(where: Tree, agent: str | None, as_json: bool) -> None:
    """Show each setting, its value and its origin."""
    loaded = settings.load(where.path)
    for name, setting in settings.SETTINGS.items():
        value, origin = getattr(loaded, name), loaded.origins[name]
        if as_json:
            echo_json([{"key": name, "value": value, "origin": origin, "meaning": setting.meaning}])
        else:
            shown = _as_toml(value)
            click.echo(f"{name} = {shown}  # {origin}; {setting.meaning}")
    for sentence in loaded.ignored:
        click.echo(f"warning: {printable(sentence)}", err=True)


def _as_toml(value: object) -> object:
    """Return a value as a settings file writes it; a text or number is returned unchanged."""
    if isinstance(value, bool):
        return str(value).lower()
    return printable(json.dumps(list(value), ensure_ascii=False)) if isinstance(value, list | tuple) else value


@click.command()
@common()
def mcp(where: str | None, agent: str | None, as_json: bool) -> None:
    """Run the STDIO MCP server; a client starts it."""
    from ai_bridge.server.run import main

    main(where, agent)


@click.command()
@click.argument("client", type=click.Choice([one.name for one in clients.with_hook_commands()]))
@common()
def hook(where: str | None, agent: str | None, client: str, as_json: bool) -> None:
    """Answer a hook of CLIENT: read its event from standard input, and write new mail to standard output."""
    from ai_bridge.cli.commands.hook import run

    raise click.exceptions.Exit(run(client, where, agent))


@click.command()
@common()
def demo(where: str | None, agent: str | None, as_json: bool) -> None:
    """Let two agents talk on throw-away mailboxes; exit 0 only if every step was seen."""
    from ai_bridge.cli.commands.demo import run

    raise click.exceptions.Exit(run())
