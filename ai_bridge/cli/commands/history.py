"""The commands that search past mail through the index: history, threads, search, decisions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import click

from ai_bridge import clients
from ai_bridge.agents import identity
from ai_bridge.agents.identity import NoIdentity
from ai_bridge.agents.resolve import project_for, resolve_writer
from ai_bridge.cli import output
from ai_bridge.cli.common import common, complete_agents, complete_ids, echo_json, view
from ai_bridge.cli.reader import tell_none
from ai_bridge.cli.screen import decided, matches, messages, pager, talks
from ai_bridge.decisions import tally
from ai_bridge.decisions.decision import Decision
from ai_bridge.history import conversations, meant
from ai_bridge.history.conversations import Conversation
from ai_bridge.history.query import Query
from ai_bridge.history.search import Found
from ai_bridge.mailboxes.outbox import HELD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import reference
from ai_bridge.message.address import project_of
from ai_bridge.system import times
from ai_bridge.text import counted

# So many are shown, unless --limit says otherwise, or all since some time are asked for.
_USUAL, _ALL = 20, 1 << 40

Command = TypeVar("Command", bound=Callable[..., Any])


def _paged(command: Command) -> Command:
    """Add the options that choose how much past mail is shown."""
    for option in (
        click.option(
            "--before", metavar="ID", help="Only messages older than this one.", shell_complete=complete_ids
        ),
        click.option(
            "--limit",
            type=click.IntRange(1),
            help=f"At most this many, the newest.  [default: {_USUAL}; with --since, all]",
        ),
        click.option("--since", metavar="DURATION", help="Only messages not older than this: 90m, 2h, 30d …"),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("peer", metavar="[ADDRESS]", required=False, shell_complete=complete_agents)
@click.option("--with", "with_", metavar="ADDRESS", help="The same as ADDRESS.", shell_complete=complete_agents)
@click.option(
    "--thread",
    metavar="ID",
    help="All messages of the thread to which this message belongs.",
    shell_complete=complete_ids,
)
@click.option("--brief", is_flag=True, help="One line per message, without its words.")
@_paged
@common(agent_help="Only mail from and to this agent.")
def history(
    where: Tree, agent: str | None, peer: str | None, with_: str | None, brief: bool, as_json: bool, **asked: Any
) -> None:
    """Show what was said, newest last: all mail of this project, or of the mailboxes if it has no agents there.

    With ADDRESS, show the mail between that agent and me, or all of that agent if it is not known who I am.
    """
    query = _bounded(_of_agents(where, agent, _one_of(peer, with_), asked.pop("thread")), **asked)
    found = meant.past(where, query, view(where, agent))
    if brief or as_json:
        messages.print_list(found.places, as_json, _near(where, agent))
    else:
        pager.show(messages.conversation(found.places, _near(where, agent)))
    _tell_rest(found, as_json, query.project)
    _tell_held(where)


def _one_of(peer: str | None, with_: str | None) -> str | None:
    if peer is not None and with_ is not None:
        raise click.UsageError("give ADDRESS or --with ADDRESS, not both")
    return with_ if peer is None else peer


def _of_agents(where: Tree, agent: str | None, peer: str | None, thread: str | None) -> Query:
    """Return the question for the mail of an agent, of two, of a thread, or of the project.

    An option names the agent, or else, if there is a peer, whatever tells who the caller is. Raises what
    `Tree.known_agent` and `resolve_writer` do.
    """
    if thread is not None:
        return Query(peer=peer, thread=thread)
    me = where.known_agent(identity.who(where, agent).address) if agent is not None else None
    if me is None and peer is not None:
        me = _caller(where)
    if peer is not None and resolve_writer(where, peer, me or "") == me:
        return Query(agent=me)
    return Query(agent=me, peer=peer, project="" if me or peer else _own_project(where))


def _caller(where: Tree) -> str | None:
    """Return who the caller is, None if nothing tells it; raises what `Tree.known_agent` does."""
    try:
        return where.known_agent(identity.who(where).address)
    except NoIdentity:
        return None


def _near(where: Tree, agent: str | None) -> str:
    """Return the project whose agents are shown by their short names, '' for none."""
    try:
        return project_for(where, identity.who(where, agent).address)
    except NoIdentity:
        return project_for(where, "")


def _own_project(where: Tree) -> str:
    """Return the project of the caller, or of this directory; '' if it has no agents in these mailboxes."""
    project = _near(where, None)
    return project if any(project_of(agent) == project for agent in where.agents()) else ""


def _bounded(query: Query, since: str | None, limit: int | None, before: str | None) -> Query:
    """Return the question with its bounds; raises `BadDuration`."""
    query.since = "" if since is None else times.stamp_before(times.parse_duration(since, "--since"))
    query.limit = limit or (_USUAL if since is None else _ALL)
    query.before = before
    return query


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="WORDS...")
@click.option(
    "--with", "peer", metavar="ADDRESS", help="Only mail from or to this agent.", shell_complete=complete_agents
)
@_paged
@common()
def search(
    where: Tree, agent: str | None, words: tuple[str, ...], peer: str | None, as_json: bool, **asked: Any
) -> None:
    """Find messages of all agents whose subject or body contains all the words, newest last.

    A word that ends in * stands for all words that begin with it. Words quoted together are a phrase.
    """
    text = " ".join(f'"{word}"' if any(map(str.isspace, word)) else word for word in words)
    found = meant.past(where, _bounded(Query(peer=peer, words=text), **asked), view(where, agent))
    if as_json:
        output.print_places(found.places, as_json)
    else:
        pager.show(matches.text(found.places, text, _near(where, agent)))
    _tell_rest(found, as_json)
    _tell_held(where)


def _tell_held(where: Tree) -> None:
    """Say to a person at a terminal how much mail waits for approval: it is not shown before, also not here."""
    if clients.variable_set() or not sys.stderr.isatty():
        return
    if held := sum(len(box.listed(HELD)) for box in where.outboxes()):
        tell_none(f"{counted(held, 'message')} held for a person's approval, not shown here: `ai-bridge list --held`")


def _tell_rest(found: Found, as_json: bool, project: str = "") -> None:
    """Report on standard error that nothing was found, or that there is more."""
    if not found.places:
        tell_none(f"no past messages found{f' of the project {project}' if project else ''}")
    if found.more and found.places and not as_json:
        click.echo(f"older ones: --before {found.places[0].id}", err=True)
    if not found.complete:
        click.echo("the index is still being built by another process: there may be more", err=True)


@click.command()
@click.option("--limit", type=click.IntRange(1), default=_USUAL, show_default=True, help="At most this many.")
@click.option("--before", metavar="ID", help="Only conversations older than the one with this ID.")
@common()
def threads(where: Tree, agent: str | None, limit: int, before: str | None, as_json: bool) -> None:
    """List the conversations of this project, else of all agents, newest last: who, how much, and the last word."""
    found = _newest(where, agent, limit + 1, before)
    if as_json:
        echo_json(map(talks.as_json, found[-limit:]))
    else:
        pager.show(talks.text(found[-limit:], _near(where, agent)))
    if not found:
        tell_none("no conversations yet")
    if len(found) > limit and not as_json:
        click.echo(f"older ones: --before {found[-limit].id}", err=True)
    _tell_held(where)


def _newest(where: Tree, agent: str | None, most: int, before: str | None) -> list[Conversation]:
    """Return the newest conversations, before that of a message if it is given; raises `NoSuchMessage`."""
    project = _own_project(where)
    if before is None:
        return conversations.newest(where, project, most)
    mine = view(where, agent)
    return meant.message(
        where, before, mine, lambda id_: conversations.newest(where, project, most, reference.split(id_)[1])
    )


@click.command()
@click.argument("thread", metavar="[THREAD]", required=False, shell_complete=complete_ids)
@common()
def decisions(where: Tree, agent: str | None, thread: str | None, as_json: bool) -> None:
    """Show how decisions stand: all of them, newest last, or the decision of a thread with every vote."""
    found = tally.decisions(where) if thread is None else [_decision(where, agent, thread)]
    if not found:
        tell_none("no decisions yet")
    if as_json:
        echo_json(decision.as_json() for decision in found)
        return
    click.echo(decided.text(found, with_votes=thread is not None), nl=False)


def _decision(where: Tree, agent: str | None, thread: str) -> Decision:
    """Return the decision to which the message belongs; raises what `meant.message` and `tally.of_thread` do."""
    return meant.message(where, thread, view(where, agent), partial(tally.of_thread, where))
