"""The commands that look and change nothing: list, show, history, status."""

from __future__ import annotations

import sys

import click

from ai_bridge import health, identity, inbox, reading, settings, trace
from ai_bridge.cli import output
from ai_bridge.cli.group import common, complete_agents, echo_json
from ai_bridge.errors import BridgeError, NoIdentity
from ai_bridge.mailboxes import Mailboxes
from ai_bridge.outbox import DROPPED, UNREAD
from ai_bridge.text import counted, printable
from ai_bridge.trace import Place


@click.command("list")
@common()
def list_(where: Mailboxes, agent: str | None, as_json: bool) -> None:
    """What awaits me: unread, and dropped for me but not yet delivered."""
    me = where.known(identity.who(where, agent).address)
    dropped = [Place(box, DROPPED, name, me) for box in where.outboxes() for name in box.names(DROPPED, me)]
    unread = [Place(one.outbox, UNREAD, one.name, me) for one in inbox.unread(where, me)]
    output.print_places(unread + dropped, as_json, with_body=False)


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--raw", is_flag=True, help="The file's exact bytes.")
@common()
def show(where: Mailboxes, agent: str | None, id_: str, raw: bool, as_json: bool) -> None:
    """Show one message, by its ID or its file's name, in whatever state it is."""
    place = trace.find(where, id_)[0]
    if raw:
        sys.stdout.buffer.write(reading.read_delivered(place.path))
    elif as_json:
        echo_json([output.as_json(place.load(), place.state, place.path)])
    else:
        click.echo(output.text(place.load()), nl=False)


@click.command()
@click.argument("peer", metavar="[ADDRESS]", required=False, shell_complete=complete_agents)
@click.option("--thread", metavar="ID", help="Only the messages of this thread.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many, the newest.")
@click.option("--before", metavar="ID", help="Only messages older than this one.")
@common()
def history(
    where: Mailboxes,
    agent: str | None,
    peer: str | None,
    thread: str | None,
    limit: int,
    before: str | None,
    as_json: bool,
) -> None:
    """Past messages from and to me, newest last."""
    me = where.known(identity.who(where, agent).address)
    if peer is not None:
        where.known_writer(peer)
    places = trace.history(where, me, peer, sys.maxsize if thread else limit, before)
    if thread:
        places = [place for place in places if _in_thread(place, thread)][-limit:]
    output.print_places(places, as_json)


def _in_thread(place: Place, thread: str) -> bool:
    try:
        message = place.load()
    except (BridgeError, OSError):
        return False
    return thread in (message.id, message.thread)


@click.command()
@click.argument("id_", metavar="[ID]", required=False)
@common()
def status(where: Mailboxes, agent: str | None, id_: str | None, as_json: bool) -> None:
    """Where a message is, for each recipient; without an ID, who I am, my router and what waits."""
    if id_ is None:
        _own_status(where, agent, as_json)
        return
    places = trace.find(where, id_)
    if as_json:
        echo_json(place_status(place) for place in places)
        return
    for place in places:
        reason = f"  {printable(place.reason)}" if place.reason else ""
        click.echo(f"{printable(id_)} → {place.recipient or '?'}: {place.state} since {place.at}{reason}")


def place_status(place: Place) -> dict[str, object]:
    """Return where one recipient's copy of a message is, as programs read it."""
    return {"id": place.id, "to": place.recipient, "state": place.state, "at": place.at, "reason": place.reason}


def _own_status(where: Mailboxes, agent: str | None, as_json: bool) -> None:
    loaded = settings.load(where.path)
    try:
        me = identity.who(where, agent)
    except NoIdentity as unknown:
        click.echo(f"mailboxes: {printable(where.path)}\nI am: not known ({unknown})", err=as_json)
        return
    report = health.examine(where, loaded, [where.known(me.address)])[0]
    if as_json:
        echo_json([{"mailboxes": where.path, "why": me.why, **report.as_json()}])
        return
    router = f"{report.router}" if report.router else "none; a reader makes the pass itself"
    click.echo(f"mailboxes: {printable(where.path)}")
    click.echo(f"I am: {me.address} ({me.why})")
    click.echo(f"router: {router}")
    click.echo(f"inbox: {counted(report.unread.count, 'message')} unread")
    click.echo(f"outbox: {report.dropped.count} waiting, {report.malformed.count} malformed")
