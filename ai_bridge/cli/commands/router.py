"""The commands for operators: router, start, stop, restart, status, health, logs, install-service."""

from __future__ import annotations

import os
import sys

import click

from ai_bridge import settings
from ai_bridge.cli.common import common, echo_json
from ai_bridge.health import surroundings
from ai_bridge.health.agent_health import AgentHealth, Waits
from ai_bridge.health.finding import HEALTH_WORDS, Finding
from ai_bridge.health.mail import examine, worst_level
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router import control, log_tail
from ai_bridge.system import processes, times
from ai_bridge.text import printable

_operator = common("Only this agent's router (default: all agents').")


@click.command()
@click.option("--once", is_flag=True, help="Make one pass and end.")
@click.option("--poll", is_flag=True, help="Look at directory times instead of waiting for events.")
@click.option("--log", metavar="FILE", help="Log to a file that rotates (default: standard error).")
@click.option("--verbose", is_flag=True, help="Also log files that are left for later.")
@_operator
def router(
    where: Tree, agent: str | None, as_json: bool, once: bool, poll: bool, log: str | None, verbose: bool
) -> None:
    """Run the router in the foreground until SIGTERM or Ctrl-C; --json logs JSON Lines."""
    from ai_bridge.link.keeper import Keeper
    from ai_bridge.router.daemon import Daemon
    from ai_bridge.router.log import open_log

    loaded = settings.load(where.path, {"poll": True} if poll else None)
    open_log(log, as_json, loaded.log_bytes, verbose)
    only = where.known_agent(agent) if agent else None
    daemon = Daemon(where, loaded, only, [] if only else [Keeper(where, loaded)])
    daemon.stop_on_signals()
    if once:
        daemon.run_once()
        return
    daemon.run()
    if daemon.is_outdated:
        processes.start_again(lambda: daemon.is_outdated)


@click.command()
@click.option("--poll", is_flag=True, help="Look at directory times instead of waiting for events.")
@_operator
def start(where: Tree, agent: str | None, as_json: bool, poll: bool) -> None:
    """Start a router in the background; return once it serves."""
    _start(where, agent, as_json, poll)


def _start(where: Tree, agent: str | None, as_json: bool, poll: bool) -> None:
    only = where.known_agent(agent) if agent else None
    options = (*(["--json"] if as_json else []), *(["--poll"] if poll else []))
    holder = control.start(where, only, tuple(options))
    if as_json:
        echo_json([{"pid": holder.pid, "serves": holder.serves, "log": control.log_file(where, only)}])
    else:
        click.echo(f"router of {only or 'all agents'} started, pid {holder.pid}")


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
    """Stop the routers and start one."""
    control.stop(where, where.known_agent(agent) if agent else None)
    _start(where, agent, as_json, poll)


@click.command()
@_operator
def status(where: Tree, agent: str | None, as_json: bool) -> None:
    """Show which routers run, and how much mail waits for each agent."""
    reports = _reports(where, agent)
    if as_json:
        echo_json(report.as_json() for report in reports)
        return
    for report in reports:
        router = f"{report.router}" if report.router else "no router"
        click.echo(
            f"{report.agent}: {router}; {report.unread.count} unread, {report.dropped.count} waiting in the outbox"
        )


@click.command()
@_operator
def health(where: Tree, agent: str | None, as_json: bool) -> None:
    """Report how the mail stands: inboxes, outboxes, stuck and malformed messages, routers."""
    reports = _reports(where, agent)
    around = surroundings.examine(where, settings.load(where.path))
    level = max(worst_level(reports), surroundings.level(around))
    if as_json:
        found: list[dict[str, object]] = [{"around": one.where, "found": one.what, "fix": one.fix} for one in around]
        echo_json([*(report.as_json() for report in reports), *found, {"level": HEALTH_WORDS[level]}])
    else:
        click.echo(f"mailboxes {printable(where.path)}")
        for report in reports:
            _print_health(report)
        for finding in around:
            _print_around(finding)
        if not reports:
            click.echo("no agents yet: run `ai-bridge init`")
        click.echo(_level(level, bold=True))
    raise click.exceptions.Exit(level)


def _level(level: int, bold: bool | None = None) -> str:
    return click.style(HEALTH_WORDS[level], fg=("green", "yellow", "red")[level], bold=bold)


def _print_around(finding: Finding) -> None:
    fix = f"; `{finding.fix}`" if finding.fix else ""
    click.echo(f"{click.style(finding.where, bold=True)}: {printable(finding.what)}{fix}")


def _print_health(report: AgentHealth) -> None:
    click.echo(click.style(report.agent, bold=True))
    click.echo(f"  inbox        {_shown(report.unread, 'unread')}")
    click.echo(f"  outbox       {_shown(report.dropped, 'waiting')}")
    click.echo(f"  .processing  {_shown(report.processing, 'claimed')}")
    if report.held.count:
        click.echo(f"  .held        {_shown(report.held, 'held')}")
    click.echo(f"  .malformed   {_shown(report.malformed, 'malformed')}")
    click.echo(f"  router       {report.router or (f'on {report.home}' if report.home else 'not running')}")
    for finding in report.findings:
        click.echo(f"  {_level(finding.level)}: {finding.sentence}")


def _shown(waits: Waits, word: str) -> str:
    return f"{waits.count} {word}, oldest {times.age(waits.oldest_s)}" if waits.count else "clear"


def _reports(where: Tree, agent: str | None) -> list[AgentHealth]:
    agents = [where.known_agent(agent)] if agent else where.agents()
    return examine(where, settings.load(where.path), agents)


@click.command()
@click.option("-n", "--lines", type=click.IntRange(1), default=40, show_default=True, help="How many lines.")
@click.option("-f", "--follow", is_flag=True, help="Keep printing new lines until Ctrl-C.")
@_operator
def logs(where: Tree, agent: str | None, as_json: bool, lines: int, follow: bool) -> None:
    """Print the last lines of the router's log (JSON Lines if it was started with --json)."""
    path = control.log_file(where, where.known_agent(agent) if agent else None)
    if not os.path.exists(path) and not follow:
        click.echo(f"nothing is logged yet in {printable(path)}", err=True)
        return
    for text in log_tail.log_lines(path, lines, follow):
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
    click.echo(f"To use it: systemctl --user daemon-reload && systemctl --user enable --now {os.path.basename(path)}")
