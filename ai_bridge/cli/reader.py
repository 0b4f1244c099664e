"""What `read` and `wait` share: who reads, what is late, and whether what they print is taken."""

from __future__ import annotations

import sys

import click

from ai_bridge import settings
from ai_bridge.agents import identity
from ai_bridge.agents.resolve import resolve_writer
from ai_bridge.errors import BridgeError
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.router.delay import delay
from ai_bridge.system import pipes


def who_reads(where: Mailboxes, agent: str | None) -> tuple[str, settings.Settings]:
    """Return who reads, a known agent that lives here, and the settings in force."""
    me = where.known(identity.who(where, agent).address)
    return Homes(where).check(me), settings.load(where.path)


def sender_meant(where: Mailboxes, sender: str | None) -> str | None:
    """Return the agent that --from means; raises what `resolve_writer` does."""
    return None if sender is None else resolve_writer(where, sender)


def tell_delay(where: Mailboxes, me: str, sender: str | None) -> None:
    """Say on standard error what is on its way to me and is not moved: that nothing is unread is not all then."""
    if (late := delay(where, me, sender)) is not None:
        click.echo(f"{late}", err=True)


def check_output() -> None:
    """Refuse to count as read, or as told, what is printed nowhere."""
    if sys.__stdout__ is None:
        raise BridgeError(what="standard output is closed: what is printed nowhere would be read by nobody")


def is_taken(patience_s: float) -> bool:
    """Wait until all that was printed is taken; raises BrokenPipeError if the reader of a pipe does not take it."""
    if not pipes.is_taken(sys.stdout.fileno(), patience_s):
        raise BrokenPipeError
    return True
