"""The commands for operators: router, start, stop, restart, status, health, logs, install-service."""

from __future__ import annotations

import os
import shlex
import sys

import click

from ai_bridge import settings
from ai_bridge.cli import health_output
from ai_bridge.cli.common import common, echo_json
from ai_bridge.health import mail, report
from ai_bridge.health.set_aside import MOST
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router import control, log_tail
from ai_bridge.settings import Settings
from ai_bridge.system import durable, processes
from ai_bridge.system.locks import Holder
from ai_bridge.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ai_bridge.router.daemon import Daemon

# The exit code of a command that Ctrl-C ends, as shells have it.
_INTERRUPTED = 130

_operator = common("Only this agent's router (default: all agents').")


@click.command()
@click.option("--once", is_flag=True, help="Make one pass and end.")
@click.option("--poll", is_flag=True, help="Look at directory times instead of waiting for events.")
@click.option("--log", metavar="FILE", help="Log to a file that rotates (default: standard error).")
@click.option("--verbose", is_flag=True, help="Also log files that are left for later.")
@click.option("--check", is_flag=True, help="Only say whether it could start, and serve nobody.")
@_operator
def router(
    where: Tree,
    agent: str | None,
    as_json: bool,
    once: bool,
    poll: bool,
    log: str | None,
    verbose: bool,
    check: bool,
) -> None:
    """Run the router in the foreground until SIGTERM or Ctrl-C; --json logs JSON Lines."""
    loaded = settings.load(where.path, {"poll": True} if poll else None)
    daemon = _daemon(where, agent, loaded)
    if check:
        _check(daemon, log)
        return
    _open_log(log, as_json, loaded, verbose)
    _run(daemon, once)


def _check(daemon: Daemon, log: str | None) -> None:
    """Raise what would keep the router from starting; another router may have the log open, so nothing is logged."""
    if log is not None:
        os.close(durable.open_own(log))
    daemon.check()


def _open_log(path: str | None, as_json: bool, loaded: Settings, verbose: bool) -> None:
    """Open the log, and log what the settings ignore."""
    from ai_bridge.router.log import LOGGER, open_log

    open_log(path, as_json, loaded.log_bytes, verbose)
    for sentence in loaded.ignored:
        LOGGER.warning("%s", sentence)


def _run(daemon: Daemon, once: bool) -> None:
    """Run the router, and put the new program in its place if it ended because its package was replaced."""
    daemon.stop_on_signals()
    if once:
        daemon.run_once()
        return
    daemon.run()
    if daemon.is_outdated:
        processes.start_again(lambda: daemon.is_outdated)


def _daemon(where: Tree, agent: str | None, loaded: Settings) -> Daemon:
    """Return the router of one agent, or that of all, beside which the links to other teams are kept."""
    from ai_bridge.link.keeper import Keeper
    from ai_bridge.router.daemon import Daemon

    only = where.known_agent(agent) if agent else None
    return Daemon(where, loaded, only, [] if only else [Keeper(where, loaded)])


@click.command()
@click.option("--poll", is_flag=True, help="Look at directory times instead of waiting for events.")
@_operator
def start(where: Tree, agent: str | None, as_json: bool, poll: bool) -> None:
    """Start a router in the background; return once it serves."""
    _start(control.start, where, agent, as_json, poll)


def _start(begin: Callable[..., Holder], where: Tree, agent: str | None, as_json: bool, poll: bool) -> None:
    only = where.known_agent(agent) if agent else None
    options = (*(["--json"] if as_json else []), *(["--poll"] if poll else []))
    holder = begin(where, only, options)
    if as_json:
        echo_json([{"pid": holder.pid, "serves": holder.serves, "log": control.log_file(where, only)}])
    else:
        click.echo(f"router of {only or _all_served(where, holder)} started, pid {holder.pid}")


def _all_served(where: Tree, holder: Holder) -> str:
    """Return `all agents`, or the agents that a router of all serves if others have routers of their own."""
    routers = control.running(where)
    others = [agent for router in routers if router.holder.pid != holder.pid for agent in router.agents]
    if not others:
        return "all agents"
    mine = [agent for router in routers if router.holder.pid == holder.pid for agent in router.agents]
    return f"{', '.join(mine)} (beside {'that' if len(others) == 1 else 'those'} of {', '.join(others)})"


@click.command()
@_operator
def stop(where: Tree, agent: str | None, as_json: bool) -> None:
    """Stop the routers; each finishes its current message first."""
    stopped = control.stop(where, where.known_agent(agent) if agent else None)
    if as_json:
        echo_json({"pid": router.holder.pid, "agents": router.agents} for router in stopped)
        return
    for router in stopped:
        click.echo(f"router of {', '.join(router.agents)} stopped, pid {router.holder.pid}")
    if not stopped:
        click.echo("no router was running")


@click.command()
@click.option("--poll", is_flag=True, help="Look at directory times instead of waiting for events.")
@_operator
def restart(where: Tree, agent: str | None, as_json: bool, poll: bool) -> None:
    """Stop the routers and start one; stop none if the new one would not start."""
    _start(control.restart, where, agent, as_json, poll)


@click.command()
@_operator
def status(where: Tree, agent: str | None, as_json: bool) -> None:
    """Show which routers run, and how much mail waits for each agent.

    `ai-bridge status` is another command: it says where a message is, or who you are.
    """
    found = mail.examine(where, settings.load(where.path), _agents(where, agent))
    if as_json:
        echo_json(one.as_json() for one in found)
        return
    for one in found:
        router = f"{one.router or (f'on {one.home}' if one.home else 'no router')}"
        unread = f"{one.unread.count} unread{one.on_its_way}"
        click.echo(f"{one.agent}: {router}; {unread}; {one.dropped.count} waiting in the outbox")


@click.command()
@click.option("--all", "every", is_flag=True, help="Show each malformed and each held file, not just the first five.")
@_operator
def health(where: Tree, agent: str | None, as_json: bool, every: bool) -> None:
    """Report how the mail stands: inboxes, outboxes, stuck and malformed messages, routers."""
    most = sys.maxsize if every else MOST
    found = report.examine(where, settings.load(where.path), _agents(where, agent), most)
    if as_json:
        echo_json(found.as_json())
    else:
        health_output.print_report(found, where.path)
    raise click.exceptions.Exit(found.level)


def _agents(where: Tree, agent: str | None) -> list[str]:
    return [where.known_agent(agent)] if agent else where.agents()


@click.command()
@click.option("-n", "--lines", type=click.IntRange(1), default=40, show_default=True, help="How many lines.")
@click.option("-f", "--follow", is_flag=True, help="Keep printing new lines until Ctrl-C.")
@_operator
def logs(where: Tree, agent: str | None, as_json: bool, lines: int, follow: bool) -> None:
    """Print the last lines of the router's log (JSON Lines if it was started with --json)."""
    try:
        _print_log(where, where.known_agent(agent) if agent else None, lines, follow)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(_INTERRUPTED) from None


def _print_log(where: Tree, only: str | None, lines: int, follow: bool) -> None:
    of_all = control.log_file(where, None)
    path = control.serving_log(where, only) if only else of_all
    if not os.path.exists(path) and not follow:
        click.echo(f"nothing is logged yet in {printable(path)}", err=True)
        return
    if only and path == of_all:
        click.echo(f"the lines about {only} in the log of the router of all agents:", err=True)
    for text in log_tail.log_lines(path, lines, follow, only if only and path == of_all else ""):
        click.echo(text, nl=False)
        sys.stdout.flush()


@click.command("install-service")
@click.option("--force", is_flag=True, help="Replace a unit of the same name that differs.")
@_operator
def install_service(where: Tree, agent: str | None, as_json: bool, force: bool) -> None:
    """Write a systemd user unit for the router and show it; enabling it is left to you."""
    from ai_bridge.router import systemd

    path, text = systemd.unit(where, where.known_agent(agent) if agent else None)
    written = systemd.install(path, text, force)
    if as_json:
        echo_json([{"path": path, "written": written, "unit": text}])
        return
    click.echo(f"# {path}{'' if written else ' (unchanged)'}\n{text}")
    _print_next_steps(path, agent)


def _print_next_steps(path: str, agent: str | None) -> None:
    """Print the commands that enable the unit at `path`; a router that runs would keep it from starting."""
    stop_it = "ai-bridge stop" + (f" --agent {agent}" if agent else "")
    enable = f"systemctl --user enable --now {shlex.quote(os.path.basename(path))}"
    click.echo(f"To use it: {stop_it} && systemctl --user daemon-reload && {enable}")
    click.echo("To have it run while you are not logged in, too: loginctl enable-linger")
