"""The command doctor: whether each client can use the mail and be reached, and what mends it."""

from __future__ import annotations

import click

from ai_bridge import clients as table
from ai_bridge.cli.common import common, echo_json
from ai_bridge.health import doctor as doctor_
from ai_bridge.health.doctor import NOTE, OK, WRONG, Finding
from ai_bridge.text import printable

_CLIENTS = [client.name for client in table.registrable()]
_COLORS = {OK: "green", NOTE: "yellow", WRONG: "red"}


@click.command()
@click.argument("clients", metavar="[CLIENT...]", nargs=-1, type=click.Choice(_CLIENTS))
@common()
def doctor(where: str | None, agent: str | None, clients: tuple[str, ...], as_json: bool) -> None:
    """Check for each client: version, registration, approval, hooks, its server, how it is reached.

    Without CLIENT also what the mailboxes lie on, how they are kept in step with other machines, and the clocks.

    Exit code 0 where nothing is wrong, else 1.
    """
    wrong = False
    around = [] if clients else doctor_.around(where)
    for finding in (*doctor_.examine(list(clients or _CLIENTS)), *around):
        wrong |= finding.level == WRONG
        echo_json([dict(finding.as_json())]) if as_json else click.echo(_line(finding))
    if wrong:
        raise click.exceptions.Exit(1)


def _line(finding: Finding) -> str:
    level = click.style(f"{finding.level:5}", fg=_COLORS[finding.level])
    mend = f"\n{'':26}-> {finding.mend}" if finding.mend else ""
    return f"{finding.client:7} {level} {finding.check:11} {printable(finding.found)}{mend}"
