"""The command link, which joins the mailboxes of different teams."""

from __future__ import annotations

import os
from collections.abc import Callable

import click

from ai_bridge.cli.common import Command, common, echo_json
from ai_bridge.link import joining, state
from ai_bridge.link.broker.permissions import block
from ai_bridge.link.config import Link
from ai_bridge.link.state import LinkState
from ai_bridge.mailboxes.find import find_mailboxes
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.address import split_list
from ai_bridge.text import printable

_UNSEEN = "nobody can see from here whether the server flushes each message to its disk (`sync_interval: always`)"


def _file(name: str, about: str) -> Callable[[Command], Command]:
    """Return a decorator that adds an option with a file; the command gets its absolute path, '' for none."""

    def absolute(_: click.Context, __: click.Parameter, path: str) -> str:
        return os.path.abspath(path) if path else ""

    return click.option(name, metavar="FILE", default="", callback=absolute, help=about)


@click.command()
@click.argument("url", required=False)
@click.option("--as", "team", metavar="TEAM", help="The name by which other teams know this one.")
@_file("--creds", "A file of NATS credentials, readable by you alone.")
@_file("--tls-ca", "The authority that signed the server's certificate.")
@click.option("--take-over", is_flag=True, help="Take the team's name from mailboxes that no longer exist.")
@click.option("--remove", is_flag=True, help="End the link.")
@click.option(
    "--permissions", metavar="TEAM", help="Print the account of TEAM for the server (AIBRIDGE: the administrator's)."
)
@click.option("--make-streams", metavar="TEAM,…", help="As the server's administrator: make these teams' streams.")
@click.option("--replicas", type=click.IntRange(1, 5), default=1, help="How many servers of a cluster keep a stream.")
@common()
def link(
    where: str | None,
    agent: str | None,
    as_json: bool,
    url: str | None,
    team: str | None,
    creds: str,
    tls_ca: str,
    take_over: bool,
    remove: bool,
    permissions: str | None,
    make_streams: str | None,
    replicas: int,
) -> None:
    """Join the mailboxes of other teams through the NATS server at URL; without URL, show how the link stands."""
    if permissions is not None:
        click.echo(block(permissions))
    elif make_streams is not None:
        _make_streams(url, split_list(make_streams), [creds, tls_ca], replicas)
    elif remove:
        _remove(find_mailboxes(where).tree())
    elif url is None:
        _show(state.state(find_mailboxes(where)), as_json)
    else:
        _make(where, url, team, [creds, tls_ca], take_over)


def _make_streams(url: str | None, teams: list[str], files: list[str], replicas: int) -> None:
    if url is None or not teams:
        raise click.UsageError("name the server and the teams: `ai-bridge link URL --make-streams TEAM,TEAM`")
    place = Link(teams[0], url, *files)
    notes = joining.make_streams(place, teams, replicas)
    click.echo(f"{place.shown_url} is ready for {', '.join(teams)}")
    for note in notes:
        click.echo(note, err=True)


def _make(where: str | None, url: str, team: str | None, files: list[str], take_over: bool) -> None:
    if team is None:
        raise click.UsageError("name your team: `ai-bridge link URL --as TEAM`")
    mailboxes, link = find_mailboxes(where).tree(), Link(team, url, *files)
    trouble = joining.make(mailboxes, link, take_over)
    click.echo(f"linked to {link.shown_url} as {link.team}; `ai-bridge start` carries it")
    if trouble:
        click.echo(f"not reached yet, the router goes on trying: {trouble}", err=True)


def _remove(where: Tree) -> None:
    link, trouble = joining.end(where)
    click.echo(f"no longer linked to {link.shown_url} as {link.team}")
    if trouble:
        click.echo(f"other teams could not be told: {trouble}", err=True)


def _show(found: list[LinkState], as_json: bool) -> None:
    if as_json:
        echo_json(one.as_json() for one in found)
        return
    for one in found:
        for line in _lines(one):
            click.echo(printable(line))
    if not found:
        click.echo("no link: `ai-bridge link URL --as TEAM` makes one", err=True)


def _lines(one: LinkState) -> list[str]:
    how = f"connected since {one.since}" if one.connected else f"not connected: {one.trouble or 'just starting'}"
    waits = (
        f"{one.to_send} to send, {_count(one.sent)} sent and not taken, {_count(one.to_receive)} to receive, "
        f"{_count(one.owed)} not read here yet"
    )
    return [
        f"{one.link.team}  {one.link.shown_url}  {how}",
        f"  {one.agents} agents of other teams; {waits}",
        *(f"  {note}" for note in one.notes),
        f"  {_UNSEEN}",
    ]


def _count(number: int | None) -> str:
    return "?" if number is None else str(number)
