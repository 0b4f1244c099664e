"""The command wait, which waits for mail."""

from __future__ import annotations

import os
import sys
import time
from functools import partial

import click

from ai_bridge import clients, settings
from ai_bridge.agents.identity import NoIdentity
from ai_bridge.cli import output
from ai_bridge.cli.common import check_number, common, complete_agents
from ai_bridge.cli.reader import check_output, is_taken, sender_meant, tell_delay, tell_none, who_reads
from ai_bridge.errors import BridgeError
from ai_bridge.inbox.wait import wait_for_mail
from ai_bridge.machines.installed import Installed
from ai_bridge.mailboxes.outbox import UNREAD
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting

_NOTHING_CAME = 3
# How long a line may stay unread in a pipe; meanwhile nothing else tells the session of mail.
_TOLD_S = 5.0
# A session waits for two seconds for an earlier one before it takes its own name.
_NAMED_S = 5.0
# What a wait never uses, besides what this module has imported.
_WITHOUT = ("cli", "server", "health", "install", "link")


class NotTold(BridgeError):
    """Nobody read the line that tells a session of its mail."""

    sentence = "standard output was not read: the session was told of no mail; run `ai-bridge wait --new` again"


@click.command()
@click.option(
    "--timeout",
    type=click.FloatRange(0),
    callback=check_number,
    metavar="S",
    help="Give up after this many seconds (exit code 3).",
)
@click.option(
    "--from", "sender", metavar="ADDRESS", help="Only mail from this agent.", shell_complete=complete_agents
)
@click.option("--new", is_flag=True, help="Wait for mail this session was not told of, and print a line for it.")
@common()
def wait(where: Tree, agent: str | None, timeout: float | None, sender: str | None, new: bool, as_json: bool) -> None:
    """Wait until I have unread mail, and print one line per message; this acknowledges nothing."""
    me, loaded = _who_waits(where, agent) if new else who_reads(where, agent)
    sender = sender_meant(where, me, sender)
    if new:
        return _wait_for_news(where, me, loaded, timeout, sender, as_json)
    found = wait_for_mail(where, me, loaded, timeout, sender, each_sweep=partial(_is_whole, Installed()))
    if not found:
        tell_none(f"no mail for {me} in {timeout:g} s")
        tell_delay(where, me, sender)
        raise click.exceptions.Exit(_NOTHING_CAME)
    output.print_places([_place(one, me) for one in found], as_json, with_body=False)


def _who_waits(where: Tree, agent: str | None) -> tuple[str, settings.Settings]:
    """Return what `who_reads` does; the session that begins the wait may take its name only now."""
    deadline = time.monotonic() + _NAMED_S
    while True:
        try:
            return who_reads(where, agent)
        except NoIdentity:
            if not clients.variable_set() or time.monotonic() > deadline:
                raise
            time.sleep(_NAMED_S / 20)


def _is_whole(installed: Installed) -> bool:
    """Load the whole program before the first sleep, for its package may be replaced later; returns True."""
    installed.load(*_WITHOUT)
    return True


def _wait_for_news(
    where: Tree, me: str, loaded: settings.Settings, timeout: float | None, sender: str | None, as_json: bool
) -> None:
    """Wait as a background shell of a session, whose end wakes the model.

    It prints one line for a whole burst of mail, and the session is told of each message only once.
    """
    from ai_bridge.reach import background_wait
    from ai_bridge.reach.notice import notice

    check_output()
    Installed().load(*_WITHOUT)
    claim = background_wait.await_news(where, me, loaded, timeout, sender)
    if claim is None:
        tell_none(f"no mail for {me} in {timeout:g} s")
        tell_delay(where, me, sender)
        raise click.exceptions.Exit(_NOTHING_CAME)
    told = False
    try:
        if as_json:
            output.print_places([_place(one, me) for one in claim.news], as_json, with_body=False)
        else:
            click.echo(f"{notice(me, claim.news, claim.at_ns)} Then run this wait again.")
        sys.stdout.flush()
        told = is_taken(_TOLD_S)
    except BrokenPipeError:
        raise NotTold() from None
    finally:
        claim.finish(told)


def _place(waiting: Waiting, recipient: str) -> Place:
    return Place(waiting.outbox, UNREAD, os.path.basename(waiting.path), recipient)
