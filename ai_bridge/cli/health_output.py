"""Print the report of `health` for a person: the agents, what surrounds the mailboxes, and the level of all."""

from __future__ import annotations

import click

from ai_bridge.health.agent_health import AgentHealth, Waits
from ai_bridge.health.finding import HEALTH_WORDS, Finding
from ai_bridge.health.report import Report
from ai_bridge.system import times
from ai_bridge.text import printable

# A single finding that is no trouble is worth a note; only the whole is healthy.
_FINDING_WORDS = ("note", *HEALTH_WORDS[1:])


def print_report(report: Report, mailboxes: str) -> None:
    """Print the report on the mailboxes at the path `mailboxes`."""
    click.echo(f"mailboxes {printable(mailboxes)}")
    for agent in report.agents:
        _print_agent(agent)
    for finding in report.around:
        _print_around(finding)
    if not report.agents:
        click.echo("no agents yet: run `ai-bridge init`")
    click.echo(_level(report.level, bold=True))


def _print_agent(report: AgentHealth) -> None:
    click.echo(click.style(report.agent, bold=True))
    click.echo(f"  inbox        {_shown(report.unread, 'unread')}{report.on_its_way}")
    click.echo(f"  outbox       {_shown(report.dropped, 'waiting')}")
    click.echo(f"  .processing  {_shown(report.processing, 'claimed')}")
    if report.held.count:
        click.echo(f"  .held        {_shown(report.held, 'held')}")
    click.echo(f"  .malformed   {_shown(report.malformed, 'malformed')}")
    click.echo(f"  router       {report.router or (f'on {report.home}' if report.home else 'not running')}")
    for finding in report.findings:
        click.echo(f"  {_styled(_FINDING_WORDS[finding.level], finding.level)}: {printable(finding.sentence)}")


def _shown(waits: Waits, word: str) -> str:
    return f"{waits.count} {word}, oldest {times.age(waits.oldest_s)}" if waits.count else "clear"


def _print_around(finding: Finding) -> None:
    fix = f"; `{finding.fix}`" if finding.fix else ""
    click.echo(f"{click.style(finding.where, bold=True)}: {printable(finding.what)}{fix}")


def _level(level: int, bold: bool | None = None) -> str:
    return _styled(HEALTH_WORDS[level], level, bold)


def _styled(word: str, level: int, bold: bool | None = None) -> str:
    return click.style(word, fg=("green", "yellow", "red")[level], bold=bold)
