"""The commands that move mail: send, reply, read, acknowledge, restore."""

from __future__ import annotations

import secrets
import sys
from functools import partial
from typing import Any

import click

from ai_bridge.agents.senders import NO_PERMISSION, described
from ai_bridge.archive.restore import put_back
from ai_bridge.cli import output
from ai_bridge.cli.common import (
    check_number,
    common,
    complete_agents,
    complete_ids,
    complete_recipients,
    echo_json,
    view,
)
from ai_bridge.cli.reader import check_output, is_taken, sender_meant, tell_delay, tell_rest, who_reads
from ai_bridge.cli.sandbox import explained
from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.history import meant
from ai_bridge.inbox import nobodys
from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.message import reference
from ai_bridge.message.reference import View
from ai_bridge.router import recheck
from ai_bridge.text import counted, printable

# How long the reader of a pipe may read nothing at all: it may give each line to a model, and wait for the answer.
_READ_S = 600.0


class NotRead(BridgeError):
    """The reader of a pipe did not read all messages that were printed into it."""

    sentence = "standard output was not read to its end: {count} stayed unread; run `ai-bridge read` again"


_MESSAGE = click.option("--message", "-m", metavar="TEXT", help="The body itself; standard input is not read.")
_FILE = click.option("--file", metavar="PATH", help="Read the body from a file; - is standard input.")
_FROM = click.option(
    "--from",
    "sender",
    metavar="ADDRESS",
    help="The sender (else --agent, AI_BRIDGE_AGENT).",
    shell_complete=complete_agents,
)
_CONTEXT = click.option(
    "--context", multiple=True, metavar="PATH[:A-B]", help="Send a file, or lines of it, too; repeatable."
)
_EXPIRES = click.option(
    "--expires", metavar="AGE", help="If it is unread by then (90m, 2h, 30d), nobody is shown it."
)
_URGENCY = click.option(
    "--urgency",
    metavar="now|next|quiet",
    help="now reaches a session at work, quiet waits for the recipient's next turn; next is the default.",
)
_WAIT_READ = click.option(
    "--wait-read",
    type=click.FloatRange(0),
    callback=check_number,
    metavar="S",
    help="Then wait until all have read it; exit code 3 after this many seconds, 1 if it is malformed.",
)
_ALLOW_EMPTY = click.option("--allow-empty", is_flag=True, help="Send even an empty body.")


@click.command()
@click.argument("recipient", metavar="RECIPIENT", required=False, shell_complete=complete_recipients)
@click.argument("subject", required=False)
@_FROM
@_MESSAGE
@_FILE
@click.option("--reply-to", metavar="ID", help="Answer that message, in its thread.", shell_complete=complete_ids)
@_CONTEXT
@click.option("--decide", metavar="RULE", help="Open a decision by majority or unanimous; answers vote.")
@_EXPIRES
@_URGENCY
@click.option("--voters", metavar="ADDRESS,...", help="The voters besides you (else the recipients).")
@click.option(
    "--batch", is_flag=True, help='Many messages: JSON Lines of {"body", "subject", "to", "reply_to", "context", …}.'
)
@_WAIT_READ
@_ALLOW_EMPTY
@common()
def send(where: Tree, as_json: bool, **words: Any) -> None:
    """Send a message to RECIPIENT: an address, several with commas, '#GROUP', or '*' for all.

    The body comes from standard input, --file or -m. The ID is printed once the message is safe on the disk. With
    --reply-to, RECIPIENT may be left out: the answer goes to the sender of that message.
    """
    if words["recipient"] is None and words["reply_to"] is None:
        raise click.UsageError("Missing argument 'RECIPIENT'.")
    _send(where, as_json, words)


@click.command()
@click.argument("reply_to", metavar="ID", shell_complete=complete_ids)
@_FROM
@_MESSAGE
@_FILE
@click.option("--subject", metavar="TEXT", help="The subject, if it is not to be `Re:` and that of the message.")
@click.option("--all", "to_all", is_flag=True, help="Answer the sender and all other recipients.")
@_CONTEXT
@_EXPIRES
@_URGENCY
@_WAIT_READ
@_ALLOW_EMPTY
@common()
def reply(where: Tree, as_json: bool, **words: Any) -> None:
    """Answer a message, in its thread: by its ID, the end of its ID (3 characters or more), or `last`, the newest.

    The answer goes to the sender of the message; if you sent it, to its recipients. The body comes from standard
    input, --file or -m. The ID of the answer is printed once it is safe on the disk.
    """
    _send(where, as_json, words)


def _send(where: Tree, as_json: bool, words: dict[str, Any]) -> None:
    """Send what the words ask for; raises `Exit` with the code if it is not 0."""
    from ai_bridge.cli import sending

    if code := sending.run(sending.Request(mailboxes=where.path, json=as_json, **words), sys.stdout):
        raise click.exceptions.Exit(code)


@click.command()
@click.option(
    "--from", "sender", metavar="ADDRESS", help="Only mail from this agent.", shell_complete=complete_agents
)
@click.option("--limit", type=click.IntRange(1), help="At most this many messages.")
@click.option("--peek", is_flag=True, help="Leave them unread.")
@common()
def read(where: Tree, agent: str | None, sender: str | None, limit: int | None, peek: bool, as_json: bool) -> None:
    """Print my unread mail; each message is acknowledged once the file, terminal or pipe's reader has taken it."""
    check_output()
    me, loaded = who_reads(where, agent)
    sender = sender_meant(where, me, sender)
    with nobodys.open_inboxes(where, me, loaded, sender) as inboxes:
        waiting = inboxes.waiting
        is_whole = _print_all(where, me, waiting[:limit], peek, as_json)
    tell_rest(me, len(waiting), limit)
    tell_delay(where, me, sender)
    if not is_whole:
        raise click.exceptions.Exit(1)


def _print_all(where: Tree, me: str, waiting: list[Waiting], peek: bool, as_json: bool) -> bool:
    """Print the messages one after the other, and acknowledge them unless `peek`; raises `NotRead`.

    Returns False if any message cannot be read. The lines between messages say who wrote each, and hold a random word
    that no body can know, so that one message cannot pass for two.
    """
    is_whole, mark, last, seen = True, secrets.token_hex(4), len(waiting), Snapshot.of(where)
    for number, one in enumerate(waiting, 1):
        who = f"{one.sender}{described(seen, one.sender)}{f'; {NO_PERMISSION}' if number == 1 else ''}"
        was_for = f", was for {whose}" if (whose := nobodys.whose(one, me)) else ""
        head = f"=== {mark} message {number} of {last}, from {who}{was_for} ===\n"
        foot = f"=== {mark} end ===\n" if number == last else ""
        try:
            is_whole &= _print_one(one, *(("", "") if as_json else (head, foot)), peek, as_json)
        except BrokenPipeError:
            if peek:
                raise
            raise NotRead(count=counted(last - number + 1, "message")) from None
    return is_whole


def _print_one(waiting: Waiting, head: str, foot: str, peek: bool, as_json: bool) -> bool:
    """Print one message, and acknowledge it unless `peek`; False if it cannot be read or acknowledged.

    Raises BrokenPipeError if standard output is a pipe and its reader does not take the message.
    """
    try:
        message = waiting.load()
    except (BridgeError, OSError) as trouble:
        click.echo(f"error: {printable(waiting.path)} was passed over: {printable(str(trouble))}", err=True)
        click.echo(foot, nl=False)
        return False
    if as_json:
        echo_json([output.as_json(message, UNREAD if peek else READ, waiting.path if peek else waiting.read_path)])
    else:
        click.echo(f"{head}{output.text(message)}{foot}", nl=False)
    sys.stdout.flush()
    return peek or (is_taken(_READ_S) and _acknowledged(waiting))


def _acknowledged(waiting: Waiting) -> bool:
    try:
        waiting.acknowledge()
    except OSError as error:
        click.echo(f"error: {explained('read', disk_error(waiting.path, error))}: it stays unread", err=True)
        return False
    return True


@click.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True, shell_complete=complete_ids)
@common()
def acknowledge(where: Tree, agent: str | None, ids: tuple[str, ...], as_json: bool) -> None:
    """Mark messages that are unread for me as read."""
    me, _ = who_reads(where, agent)
    for id_ in meant.unread(where, list(ids), View(me), partial(nobodys.acknowledge, where, me)):
        echo_json([{"id": reference.split(id_)[1], "state": READ}]) if as_json else click.echo(id_)


@click.command()
@click.argument("id_", metavar="ID", shell_complete=complete_ids)
@click.option("--force", is_flag=True, help="Also a malformed file that has not changed: the router decides again.")
@common()
def restore(where: Tree, agent: str | None, id_: str, force: bool, as_json: bool) -> None:
    """Put a read or archived message back to unread, or a malformed one (by ID or file name) back on its way."""
    mine, check = view(where, agent), None if force else partial(recheck.check, where)
    places = meant.message(where, id_, mine, lambda exact: put_back(where, exact, mine, check))
    if as_json:
        echo_json({"id": _named(place, id_), "state": place.state, "path": place.path} for place in places)
        return
    for place in places:
        click.echo(f"{printable(place.name)} is {place.state} again")


def _named(place: Place, typed: str) -> str:
    """Return the name of the file if that was typed, else the message's ID."""
    return place.name if place.name == reference.split(typed)[1] else place.id
