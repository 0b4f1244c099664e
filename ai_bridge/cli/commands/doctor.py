"""The command doctor: whether each client can use the mail and be reached, and what fixes it."""

from __future__ import annotations

import click

from ai_bridge import clients
from ai_bridge.cli.common import common, echo_json
from ai_bridge.health.doctor import around, examine
from ai_bridge.health.finding import DOCTOR_WORDS, WRONG, Finding
from ai_bridge.text import printable

_CLIENTS = [client.name for client in clients.registrable()]
_COLORS = ("green", "yellow", "red")


@click.command()
@click.argument("names", metavar="[CLIENT...]", nargs=-1, type=click.Choice(_CLIENTS))
@common()
def doctor(where: str | None, agent: str | None, names: tuple[str, ...], as_json: bool) -> None:
    """Check for each client: version, registration, approval, hooks, its server, how it is reached.

    Without CLIENT, also check the disk of the mailboxes, the sync with other machines, and the clocks.

    Exit code 0 if nothing is wrong, else 1.
    """
    wrong = False
    for subject, finding in _findings(where, names):
        wrong |= finding.level == WRONG
        echo_json([_as_json(subject, finding)]) if as_json else click.echo(_line(subject, finding))
    if wrong:
        raise click.exceptions.Exit(1)


def _findings(where: str | None, names: tuple[str, ...]) -> list[tuple[str, Finding]]:
    """Return each finding with the client it is about; those about the mailboxes are about `mail`."""
    found = [(client, finding) for client in names or _CLIENTS for finding in examine(client)]
    return found if names else [*found, *(("mail", finding) for finding in around(where))]


def _as_json(subject: str, finding: Finding) -> dict[str, object]:
    level = DOCTOR_WORDS[finding.level]
    return {"client": subject, "check": finding.where, "level": level, "found": finding.what, "fix": finding.fix}


def _line(subject: str, finding: Finding) -> str:
    level = click.style(f"{DOCTOR_WORDS[finding.level]:5}", fg=_COLORS[finding.level])
    fix = f"\n{'':26}-> {finding.fix}" if finding.fix else ""
    return f"{subject:7} {level} {finding.where:11} {printable(finding.what)}{fix}"
