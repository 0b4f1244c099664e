"""The commands that search past mail through the index: history, search, decisions."""

from __future__ import annotations

import click

from ai_bridge.agents import identity
from ai_bridge.cli import output
from ai_bridge.cli.common import common, complete_agents, echo_json
from ai_bridge.cli.reader import tell_none
from ai_bridge.decisions import tally
from ai_bridge.decisions.decision import Decision
from ai_bridge.history.query import Query
from ai_bridge.history.search import Found, find_as_asked
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.votes import APPROVE, OBJECT
from ai_bridge.text import printable, shorten

_LIMIT = click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="At most this many, the newest."
)
_BEFORE = click.option("--before", metavar="ID", help="Only messages older than this one.")


@click.command()
@click.argument("peer", metavar="[ADDRESS]", required=False, shell_complete=complete_agents)
@click.option("--thread", metavar="ID", help="All messages of the thread to which this message belongs.")
@_LIMIT
@_BEFORE
@common()
def history(
    where: Tree,
    agent: str | None,
    peer: str | None,
    thread: str | None,
    limit: int,
    before: str | None,
    as_json: bool,
) -> None:
    """Show past messages from and to me, newest last; with ADDRESS, those between that agent and me."""
    me = None if thread else where.known_agent(identity.who(where, agent).address)
    query = Query(agent=me, peer=peer, thread=thread, limit=limit, before=before)
    _print(find_as_asked(where, query), as_json)


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="WORDS...")
@click.option(
    "--with", "peer", metavar="ADDRESS", help="Only mail from or to this agent.", shell_complete=complete_agents
)
@_LIMIT
@_BEFORE
@common()
def search(
    where: Tree,
    agent: str | None,
    words: tuple[str, ...],
    peer: str | None,
    limit: int,
    before: str | None,
    as_json: bool,
) -> None:
    """Find messages of all agents whose subject or body contains all the words, newest last.

    A word that ends in * stands for all words that begin with it. Words quoted together are a phrase.
    """
    text = " ".join(f'"{word}"' if any(map(str.isspace, word)) else word for word in words)
    _print(find_as_asked(where, Query(peer=peer, words=text, limit=limit, before=before)), as_json)


def _print(found: Found, as_json: bool) -> None:
    output.print_places(found.places, as_json)
    if not found.places:
        tell_none("no past messages found")
    if found.more and found.places and not as_json:
        click.echo(f"older ones: --before {found.places[0].id}", err=True)
    if not found.complete:
        click.echo("the index is still being built by another process: there may be more", err=True)


@click.command()
@click.argument("thread", metavar="[THREAD]", required=False)
@common()
def decisions(where: Tree, agent: str | None, thread: str | None, as_json: bool) -> None:
    """Show how decisions stand: all of them, newest last, or the decision of a thread with every vote."""
    found = tally.decisions(where) if thread is None else [tally.tally(where, thread)]
    if not found:
        tell_none("no decisions yet")
    if as_json:
        echo_json(decision.as_json() for decision in found)
        return
    for decision in found:
        click.echo(_line(decision))
        if thread is not None:
            click.echo(_votes(decision))


def _line(decision: Decision) -> str:
    state = click.style(decision.state.ljust(8), bold=True)
    subject = shorten(printable(decision.opening.subject), 60)
    votes = f"{decision.count(APPROVE)} for, {decision.count(OBJECT)} against"
    rule = f"{decision.needed} of {decision.voter_count} decide"
    missing = f"; missing: {', '.join(decision.awaited)}" if decision.awaited else ""
    return f"{state}  {decision.id}  {subject}  ({votes}, {rule}{missing})"


def _votes(decision: Decision) -> str:
    lines = []
    for voter in decision.voters:
        vote = decision.votes.get(voter)
        told = f"{vote.tag}  {vote.message.id}" if vote else "-"
        lines.append(f"  {voter}{' (judge)' if voter in decision.judges else ''}: {told}")
    return "\n".join(lines)
