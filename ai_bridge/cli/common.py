"""Machinery of all commands: a group that imports a command only when it runs, common options, refusals."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from ai_bridge import clients
from ai_bridge.agents import identity
from ai_bridge.cli import colours, sandbox, usage
from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.machines.syncthing import nudge
from ai_bridge.mailboxes import adoption, find
from ai_bridge.mailboxes.adoption import NotAdopted
from ai_bridge.mailboxes.find import find_mailboxes
from ai_bridge.mailboxes.outbox import only_show
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.address import GROUP
from ai_bridge.message.reference import View
from ai_bridge.text import printable

# The first group makes the mailboxes, or finds them later. The second adopts them. The others only look: at the
# state of the mail, or at the mail itself.
_TAKE_THE_WORD = ("init", "mcp", "hook", "doctor", "demo", "install", "uninstall", "link", "completion")
_ADOPT = ("start", "restart")
_OPERATE = ("health", "logs", "stop", "config")
_SHOW = ("list", "show", "history", "threads", "search", "decisions", "peers", "status", "whoami")

Command = TypeVar("Command", bound=Callable[..., Any])


class LazyGroup(click.Group):
    """A group that knows the module and short help of each command, and imports a command only to run it.

    `lazy` maps a command's name to (`module:attribute`, short help). click's own help, completion and did-you-mean
    would import all commands, so this class answers those three itself. `meant` maps words that are no commands to
    what to type instead.
    """

    def __init__(
        self,
        *args: Any,
        lazy: dict[str, tuple[str, str]] | None = None,
        meant: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy or {}
        self.meant = meant or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return None
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in self.lazy.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [CompletionItem(name, help=self.lazy[name][1]) for name in self.lazy if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if line := usage.reordered(args):
            raise click.UsageError(f"options come after the command: `{ctx.info_name} {line}`", ctx)
        return super().parse_args(ctx, usage.asked(args))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand:
            if told := self.meant.get(args[0]):
                raise click.UsageError(f"No such command '{args[0]}': {told}.", ctx) from None
            raise click.exceptions.NoSuchCommand(args[0], possibilities=list(self.lazy), ctx=ctx) from None

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; an error while help or version is printed becomes one line and exit code 1."""
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            _flush_or_silence()
            click.echo(f"error: {disk_error('standard output', error)}", err=True)
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a refusal becomes one line on standard error and its exit code.

        At the end it asks Syncthing to scan the files that changed.
        """
        if sys.stdout is None:  # the program that started us closed it
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for as long as we live
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that cannot show a character
        ctx.color = colours.wanted()  # click asks it of the context, for every text that is printed
        nudge.attach()
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BridgeError as refusal:
            _flush_or_silence()
            click.echo(f"error: {sandbox.explained(ctx.invoked_subcommand, refusal)}", err=True)
            ctx.exit(refusal.exit_code)
        except OSError as error:
            if error.filename is None:
                _flush_or_silence()
            if error.errno != errno.EPIPE:
                refused = sandbox.explained(ctx.invoked_subcommand, disk_error("standard output", error))
                click.echo(f"error: {refused}", err=True)
            ctx.exit(1)
        finally:
            nudge.flush()


def _flush_or_silence() -> None:
    """Flush standard output; if that fails, redirect it to the null device, so that the exit does not fail too."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def common(agent_help: str = "The agent I am (else AI_BRIDGE_AGENT).") -> Callable[[Command], Command]:
    """Return a decorator that adds the options of every command: --mailboxes, --agent, --json."""

    def decorate(command: Command) -> Command:
        command = click.option("--json", "as_json", is_flag=True, help="Print JSON Lines.")(command)
        command = click.option("--agent", metavar="ADDRESS", help=agent_help, shell_complete=complete_agents)(command)
        return click.option(
            "--mailboxes", "where", metavar="DIR", callback=_found, help="The mailboxes (else AI_BRIDGE_MAILBOXES)."
        )(command)

    return decorate


def _found(ctx: click.Context, _: click.Parameter, value: str | None) -> Tree | str | None:
    """Turn the option into the mailboxes it names; commands in `_TAKE_THE_WORD` get the text itself."""
    if value == "":
        raise BridgeError(what="--mailboxes names nothing: give the directory's path")
    if ctx.resilient_parsing or ctx.command.name in _TAKE_THE_WORD:
        return value
    if ctx.command.name in _ADOPT:
        return _adopted(value)
    by_client = bool(clients.variable_set())
    looking = _OPERATE if by_client else (*_OPERATE, *_SHOW)  # a client's shell shows its output to a model
    is_looking = ctx.command.name in looking
    where = find_mailboxes(value, only_to_look=is_looking, by_client=by_client)
    if is_looking and not (find.named(value) or find.is_adopted(where)):
        click.echo(f"warning: {NotAdopted(path=where.path)}", err=True)
    return where.tree()


def _adopted(chosen: str | None) -> Tree:
    """Return the mailboxes; if they were found and not named, the command adopts them for the person who runs it.

    A client's shell adopts nothing. Mailboxes that are named are trusted by this command alone.
    """
    by_client = bool(clients.variable_set())
    if find.named(chosen) or by_client:
        return find_mailboxes(chosen, by_client=by_client).tree()
    where = find_mailboxes(chosen, only_to_look=True)
    if not find.is_adopted(where) and adoption.adopt(where.path):
        click.echo(f"adopted {printable(where.path)}: its mail is moved and read from now on", err=True)
    return where.tree()


def complete_agents(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the agents whose address begins with `incomplete`, to complete a word; none without mailboxes."""
    try:
        agents = find_mailboxes(ctx.params.get("where"), only_to_look=True).agents()
    except (BridgeError, OSError):
        return []
    return [agent for agent in agents if agent.startswith(incomplete)]


def complete_recipients(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return what `complete_agents` does; for a word that begins with `#`, the groups that begin with it."""
    if not incomplete.startswith(GROUP):
        return complete_agents(ctx, parameter, incomplete)
    from ai_bridge.agents.several import groups  # most words are addresses

    try:
        where = find_mailboxes(ctx.params.get("where"), only_to_look=True)
        found = sorted({group for agent in where.agents() for group in groups.groups_of(where, agent)})
    except (BridgeError, OSError):
        return []
    return [group for group in found if group.startswith(incomplete)]


def complete_ids(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the newest messages, to complete a word: the end of each ID, or the whole ID that `incomplete` begins.

    The help of each is `sender → recipient subject`. None without mailboxes; changes nothing in them.
    """
    from ai_bridge.history import ends  # most commands complete nothing

    by_client = bool(clients.variable_set())
    try:
        where = find_mailboxes(ctx.params.get("where"), only_to_look=not by_client, by_client=by_client)
        only_show(where.path)
        found = ends.newest(where)
    except (BridgeError, OSError):
        return []
    short = [CompletionItem(end, help=about) for end, _, about in found if end.startswith(incomplete)]
    whole = [CompletionItem(id_, help=about) for _, id_, about in found if incomplete and id_.startswith(incomplete)]
    return short + whole


def view(where: Tree, agent: str | None) -> View:
    """Return which messages the caller may mean by an ID; it works without a known caller, too."""
    try:
        return View(identity.who(where, agent).address)
    except BridgeError:
        return View()


def check_number(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    """Refuse NaN, which click's ranges let through; for click's `callback`."""
    if value is not None and value != value:
        raise click.BadParameter("it is not a number")
    return value


def echo_json(entries: Iterable[dict[str, object]]) -> None:
    """Print the objects as JSON Lines, one per line."""
    import json

    for entry in entries:
        click.echo(json.dumps(entry))
