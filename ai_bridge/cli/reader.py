"""Helpers of `read` and `wait`: the reading agent, mail that is late, and whether the output was taken."""

from __future__ import annotations

import sys

import click

from ai_bridge import settings
from ai_bridge.agents import identity, person
from ai_bridge.agents.resolve import resolve_writer
from ai_bridge.errors import BridgeError
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.delay import delay
from ai_bridge.system import pipes
from ai_bridge.text import printable


def who_reads(where: Tree, agent: str | None) -> tuple[str, settings.Settings]:
    """Return the address of the agent that reads, and the settings in force.

    Raises `BridgeError` if the agent is not known or does not live on this machine, or if it is a person's address
    and a client started this shell: the person's mail would count as read.
    """
    me = person.refuse_clients_as(where, where.known_agent(identity.who(where, agent).address))
    return Homes(where).check(me), settings.load(where.path)


def sender_meant(where: Tree, me: str, sender: str | None) -> str | None:
    """Return the agent that --from means to `me`, None if it is not given; raises what `resolve_writer` does."""
    return None if sender is None else resolve_writer(where, sender, me)


def tell_delay(where: Tree, me: str, sender: str | None) -> None:
    """Report on standard error the mail to me that no router has moved yet: `read` and `wait` do not show it."""
    if (late := delay(where, me, sender)) is not None:
        click.echo(f"{late}", err=True)


def tell_rest(me: str, unread: int, limit: int | None) -> None:
    """Report on standard error how much mail a limit left unread, and on a terminal that there was none at all."""
    if limit is not None and unread > limit:
        click.echo(f"{unread - limit} more unread for {me}", err=True)
    elif not unread:
        tell_none(f"nothing unread for {me}")


def tell_none(sentence: str) -> None:
    """Say on standard error that there is nothing to print, if a person would see it: if it is a terminal."""
    if sys.stderr.isatty():
        click.echo(printable(sentence), err=True)


def check_output() -> None:
    """Refuse to run if standard output is closed, because mail printed nowhere must not count as read."""
    if sys.__stdout__ is None:
        raise BridgeError(what="standard output is closed: nobody would read what is printed")


def is_taken(patience_s: float) -> bool:
    """Wait until all output is taken, and return True; raises BrokenPipeError if a pipe's reader does not take it.

    `patience_s` is how long the reader may read nothing at all, in seconds.
    """
    if not pipes.is_taken(sys.stdout.fileno(), patience_s):
        raise BrokenPipeError
    return True
