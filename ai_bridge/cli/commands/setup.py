"""The commands that set up and connect: init, config, mcp, hook, demo."""

from __future__ import annotations

import json
import sys

import click

from ai_bridge import clients, settings
from ai_bridge.agents import setup
from ai_bridge.cli.common import common, echo_json
from ai_bridge.clients.files import USER
from ai_bridge.inbox import takeover
from ai_bridge.install.places import present
from ai_bridge.mailboxes import find
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.text import counted, printable

# The agents of new mailboxes if no client is found on this machine.
_USUAL_AGENTS = ("claude", "gemini")


@click.command()
@click.argument("addresses", metavar="[ADDRESS]...", nargs=-1)
@click.option("--take-over", is_flag=True, help="Bring mail of this project here from your own mailboxes, unasked.")
@common()
def init(where: str | None, agent: str | None, addresses: tuple[str, ...], take_over: bool, as_json: bool) -> None:
    """Make the mailboxes, or add what is missing, with an agent for each client on this machine or those named.

    Without --mailboxes or AI_BRIDGE_MAILBOXES, it takes the mailboxes found from here upwards, else ./mailboxes.
    It adopts mailboxes that somebody else made: from then on their mail is moved and read. If mail for agents of this
    project waits in your own mailboxes, it asks whether to bring that here.
    """
    asked = [*addresses, *([agent] if agent else [])]
    usual = [one.agent for one in present(USER)] or list(_USUAL_AGENTS)
    made, new = setup.make(find.named(where), asked, usual, _say)
    taken = _take_over(made, take_over)
    if as_json:
        echo_json([{"mailboxes": made.path, "agents": made.agents(), "new": new, "taken_over": taken}])
        return
    click.echo(
        f"mailboxes {printable(made.path)}: {', '.join(made.agents())}" + (f" (new: {', '.join(new)})" * bool(new))
    )


def _say(sentence: str) -> None:
    click.echo(printable(sentence), err=True)


def _take_over(made: Tree, unasked: bool) -> int:
    """Bring mail that waits for this project's agents here, if the person wants that; returns how many messages."""
    found = takeover.waiting(made)
    for sentence in found.staying():
        _say(sentence)
    if not found.messages:
        return 0
    if not (unasked or sys.stdin.isatty()):
        _say(f"{found}: `ai-bridge init --take-over` brings them here")
        return 0
    if not (unasked or click.confirm(f"{found}. Bring them here?", default=True, err=True)):
        return 0
    taken = found.take()
    _say(f"{counted(taken, 'message')} brought here")
    return taken


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


def _with_hook(_: click.Context, __: click.Parameter, client: str) -> str:
    """Refuse a client whose hooks run no command; for click's `callback`."""
    known = [one.name for one in clients.with_hooks()]
    if client in known:
        return client
    raise click.BadParameter(f"{client} is no client whose hooks run a command; known: {', '.join(known)}")


@click.command()
@click.argument("client", callback=_with_hook)
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
