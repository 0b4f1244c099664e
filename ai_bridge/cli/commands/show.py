"""The commands that change nothing: list, show, status."""

from __future__ import annotations

import sys

import click

from ai_bridge import settings
from ai_bridge.agents import identity
from ai_bridge.agents.identity import NoIdentity
from ai_bridge.cli import output
from ai_bridge.cli.common import common, complete_ids, echo_json, view
from ai_bridge.cli.reader import tell_none
from ai_bridge.cli.screen import aside, messages
from ai_bridge.errors import NoSuchMessage
from ai_bridge.health import mail
from ai_bridge.history import meant
from ai_bridge.mailboxes import attachments, find, trace
from ai_bridge.mailboxes.outbox import DROPPED, HELD, MALFORMED, UNREAD
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import unread_for
from ai_bridge.message import context, reference
from ai_bridge.message.address import project_of
from ai_bridge.message.reference import View
from ai_bridge.system import untrusted
from ai_bridge.text import counted, printable


@click.command("list")
@click.option("--held", is_flag=True, help="Mail that is held for a person's approval, with the reason.")
@click.option("--malformed", is_flag=True, help="Mail that could not be delivered, with the reason.")
@common()
def list_(where: Tree, agent: str | None, held: bool, malformed: bool, as_json: bool) -> None:
    """List what awaits me: unread mail, mail that is not yet delivered, and mail held for a person's approval.

    With --held or --malformed, list that mail, from and to me; if I am a person, or it is not known who I am, that of
    all agents.
    """
    if states := [state for state, is_asked in ((HELD, held), (MALFORMED, malformed)) if is_asked]:
        whose = aside.concerned(where, agent)
        aside.print_all(aside.places_of(where, states, whose), as_json, project_of(whose or ""))
    else:
        _list_mine(where, agent, as_json)


def _list_mine(where: Tree, agent: str | None, as_json: bool) -> None:
    """List what awaits the agent; raises `NoIdentity` if it is not known who that is."""
    me = where.known_agent(identity.who(where, agent).address)
    dropped, held = (
        [Place(box, state, name, me) for box in where.outboxes() for name in box.names(state, me)]
        for state in (DROPPED, HELD)
    )
    unread = [Place(one.outbox, UNREAD, one.name, me) for one in unread_for(where, me)]
    messages.print_mine(unread + dropped + held, as_json, me)
    if not unread + dropped + held:
        tell_none(f"nothing awaits {me}")


@click.command()
@click.argument("id_", metavar="ID", shell_complete=complete_ids)
@click.option("--raw", is_flag=True, help="The file's exact bytes.")
@common()
def show(where: Tree, agent: str | None, id_: str, raw: bool, as_json: bool) -> None:
    """Show one message in any state, by ID, SENDER/ID, the end of an ID, `last` or file name; or an attachment.

    If the message went to several agents, it shows the copy for me, else the first, and names all recipients.
    """
    places = _places(where, id_, view(where, agent))
    if not places:
        _show_attachment(where, id_, as_json)
    elif raw:
        sys.stdout.buffer.write(places[0].raw())
    elif as_json:
        echo_json(output.as_json(place.load(), place.state, place.path) for place in places)
    else:
        _print_message(places)


def _places(where: Tree, id_: str, view: View) -> list[Place]:
    """Return the places of the message: the caller's own, if there is one; [] if the ID is an attachment's.

    Raises `NoSuchMessage` and what else `trace.find` does.
    """
    try:
        places = meant.message(where, id_, view, lambda exact: trace.find(where, exact, view))
    except NoSuchMessage:
        if not context.is_hash(id_):
            raise
        return []
    return [place for place in places if place.recipient == view.agent] or places


def _print_message(places: list[Place]) -> None:
    """Print a message as text, the recipients of its copies if there are several, and what is attached to it."""
    message = places[0].load()
    click.echo(output.text(message), nl=False)
    if len(places) > 1:
        click.echo(f"sent to: {', '.join(f'{place.recipient} ({place.state})' for place in places)}")
    for path in attachments.paths_of(places[0].outbox, message):
        click.echo(f"attached: {printable(path)}")


def _show_attachment(where: Tree, sha256: str, as_json: bool) -> None:
    """Print the attachment with that hash."""
    path = attachments.find(where, sha256)
    raw = untrusted.read_file(path, attachments.LARGEST_BYTES)
    if as_json:
        echo_json([{"sha256": context.digest(raw), "path": path, "bytes": len(raw)}])
    else:
        sys.stdout.buffer.write(raw)


@click.command()
@click.argument("id_", metavar="[ID]", required=False, shell_complete=complete_ids)
@common()
def status(where: Tree, agent: str | None, id_: str | None, as_json: bool) -> None:
    """Show where a message is, for each recipient; without an ID, show who I am, my router and what waits."""
    if id_ is None:
        _own_status(where, agent, as_json)
        return
    mine = view(where, agent)
    explained = meant.message(where, id_, mine, lambda exact: mail.explain(where, exact, mine))
    if as_json:
        echo_json(_place_object(place, why) for place, why in explained)
        return
    for place, why in explained:
        click.echo(_place_line(id_, place, why))


def _place_object(place: Place, why: str | None) -> dict[str, object]:
    """Return where one recipient's copy of a message is, and why, as the JSON object for programs."""
    return {"id": place.id, "to": place.recipient, "state": place.state, "at": place.at(), "reason": why}


def _place_line(typed: str, place: Place, why: str | None) -> str:
    """Return where a copy is, after what was typed, or after the ID if that was not typed as a whole."""
    reason = f"  {printable(why.replace(chr(10), '; '))}" if why else ""
    id_ = typed if reference.split(typed)[1] in (place.id, place.name) else place.id
    return f"{printable(id_)} → {place.recipient or '?'}: {place.state} since {place.at()}{reason}"


def _own_status(where: Tree, agent: str | None, as_json: bool) -> None:
    loaded = settings.load(where.path)
    try:
        me = identity.who(where, agent)
    except NoIdentity as unknown:
        click.echo(
            f"mailboxes: {printable(where.path)} ({find.why(where)})\nI am: not known ({unknown})", err=as_json
        )
        return
    report = mail.examine(where, loaded, [where.known_agent(me.address)])[0]
    waiting = sum(len(box.visible(HELD, me.address)) for box in where.outboxes())
    if as_json:
        echo_json([{"mailboxes": where.path, "why": me.why, **report.as_json(), "held_for_me": waiting}])
        return
    nobody = f"none here: {report.home} moves this mail" if report.home else "none; a reader makes the pass itself"
    router = f"{report.router or nobody}"
    click.echo(f"mailboxes: {printable(where.path)} ({find.why(where)})")
    click.echo(f"I am: {me.address} ({me.why})")
    click.echo(f"router: {router}")
    more = f", {waiting} held for a person's approval (`ai-bridge list`)" if waiting else ""
    late = f"; {report.delay}" if report.delay else ""
    click.echo(f"inbox: {counted(report.unread.count, 'message')} unread{report.on_its_way}{more}{late}")
    held = f", {report.held.count} held" if report.held.count else ""
    click.echo(f"outbox: {report.dropped.count} waiting, {report.malformed.count} malformed{held}")
