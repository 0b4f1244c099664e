"""The commands of the address book: peers, card, remove."""

from __future__ import annotations

import os
import sys
import time

import click

from ai_bridge.agents import cards, handover, identity, person, policy
from ai_bridge.agents.cards import Card
from ai_bridge.agents.peers import Peer, all_peers, when
from ai_bridge.agents.resolve import project_for, resolve_agent
from ai_bridge.agents.several import groups
from ai_bridge.agents.work import work_of
from ai_bridge.archive import removal
from ai_bridge.archive.removal import Removal
from ai_bridge.archive.wishes import A_PERSON
from ai_bridge.cli import editor
from ai_bridge.cli.common import common, complete_agents, echo_json
from ai_bridge.cli.reader import tell_none
from ai_bridge.cli.screen import messages, tables, terminal
from ai_bridge.cli.screen.tables import Cell
from ai_bridge.machines.syncthing import status
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import times
from ai_bridge.text import OF_LANGUAGES, counted, printable, shorten

_VERBS = ("show", "edit", "set", "move-home")
_PATIENCE_S = 60.0


@click.command()
@click.option("--all", "every", is_flag=True, help="Also the agents that were removed.")
@common()
def peers(where: Tree, agent: str | None, every: bool, as_json: bool) -> None:
    """List all agents: whether each is online, its client and project, its machine, and how much is unread."""
    found = all_peers(where, with_retired=every)
    if as_json:
        echo_json(peer.as_json() for peer in found)
        return
    for line in _table(found) if terminal.is_shown() else map(_line, found):
        click.echo(line)
    if not found:
        tell_none("no agents yet: `ai-bridge init` adds some")
    if (link := status.status_of(where)) is not None:
        click.echo(printable("; ".join([str(link), *link.troubles])))


def _table(found: list[Peer]) -> list[str]:
    """Return one line per agent, which fits the terminal; a narrow one has no room for its client and machine."""
    is_wide = terminal.columns() >= terminal.WIDE
    rows = [
        [
            Cell(printable(peer.address), bold=peer.is_online or None),
            Cell(_since(peer), dim=not peer.is_online or None),
            Cell(printable(peer.client) if is_wide else ""),
            Cell(_waiting(peer), colour="yellow"),
            Cell(printable(peer.home) if is_wide else ""),
            Cell(printable(work_of(peer.card) or peer.card.get("description"))),
        ]
        for peer in found
    ]
    return tables.lines(rows, (2, 3, 4, 5), terminal.columns())


def _removed(peer: Peer) -> str:
    return f"removed ({peer.retired})"


def _waiting(peer: Peer) -> str:
    """Return how much mail awaits an agent, without what is none."""
    return peer.waiting.removeprefix("0 unread").removeprefix(", ")


def _since(peer: Peer) -> str:
    """Return whether the agent is online and since when, or when it was last seen, as people say it."""
    if peer.retired:
        return _removed(peer)
    here = peer.presence
    if here is None or not (here.online or here.seen):
        return "never seen"
    if here.online:
        return f"online {times.age(max(0.0, time.time() - here.since))}" if here.since else "online"
    return f"seen {messages.ago(here.seen)}"


def _line(peer: Peer) -> str:
    since = _removed(peer) if peer.retired else when(peer)
    facts = [peer.card.display, since, peer.client, peer.home, peer.waiting, " ".join(peer.groups)]
    facts += [f"works on: {line}" if (line := work_of(peer.card)) else ""]
    about = shorten(peer.card.get("description"), 80)
    return click.style(peer.address, bold=peer.is_online or None) + printable(
        "  " + "; ".join(fact for fact in facts if fact) + (f"  {about}" if about else "")
    )


@click.command()
@click.argument(
    "words",
    metavar="[show|edit|set FIELD=VALUE...|move-home] [ADDRESS]",
    nargs=-1,
    shell_complete=complete_agents,
)
@click.option("--to", metavar="HOME", help="move-home: the machine, by its ID or label (else this one).")
@click.option("--force", is_flag=True, help="move-home: take the agent even if its home, now gone, does not answer.")
@click.option(
    "--timeout",
    type=click.FloatRange(0),
    default=_PATIENCE_S,
    metavar="S",
    help="move-home: wait this many seconds for its home to give it away (exit code 3).",
)
@common()
def card(
    where: Tree,
    agent: str | None,
    words: tuple[str, ...],
    to: str | None,
    force: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Show or change what others know of an agent, me or ADDRESS.

    `card set description="reviews Python" text="..."` sets fields (display, client, project, description,
    working_on, groups, since, person, accept, hold, refuse, text); an empty value removes one. `card edit` opens the
    card in your editor. `card move-home` makes this machine the one where the agent's mail is moved and read.
    """
    verb, changes, named = _parse(words)
    if verb != "move-home" and (to is not None or force):
        raise click.UsageError("--to and --force go with `card move-home`")
    who = _agent(where, agent, named)
    if verb == "edit":
        editor.edit(where, who)
    elif verb == "move-home":
        click.echo(f"{who} lives on {handover.move(where, who, to or '', force, timeout)}", err=as_json)
    found = cards.change(where, who, changes) if verb == "set" else cards.load(where, who)
    _show(where, found, as_json)


def _parse(words: tuple[str, ...]) -> tuple[str, dict[str, str], str | None]:
    """Return the verb, the changes by field, and the address if the words name one; raises `UsageError`."""
    verb, rest = (words[0], words[1:]) if words[:1] and words[0] in _VERBS else ("show", words)
    changes = [word for word in rest if "=" in word] if verb == "set" else []
    named = [word for word in rest if word not in changes]
    if len(named) > 1 or (verb == "set" and not changes):
        raise click.UsageError(
            "say `card show [ADDRESS]`, `card edit [ADDRESS]`, `card set FIELD=VALUE... [ADDRESS]` "
            "or `card move-home [ADDRESS]`"
        )
    return verb, dict(_split(change) for change in changes), named[0] if named else None


def _agent(where: Tree, agent: str | None, named: str | None) -> str:
    if named is None:
        return resolve_agent(where, identity.who(where, agent).address)
    return resolve_agent(where, named, project_for(where, ""))


def _split(change: str) -> tuple[str, str]:
    name, _, value = change.partition("=")
    return name, value


def _show(where: Tree, found: Card, as_json: bool) -> None:
    said = found.fields | found.rest
    for doubt in policy.doubts(said, where.agents()) + groups.wrong_entries(said):
        click.echo(f"note: {printable(doubt)}", err=True)
    if as_json:
        path = cards.card_path(where, found.address)
        echo_json([{"address": found.address, "path": path, "fields": found.fields, "text": found.text}])
        return
    for name, value in {"name": found.address, **found.fields}.items():
        click.echo(f"{click.style(printable(name) + ':', fg='cyan')} {printable(value)}")
    if found.text:
        click.echo(f"\n{printable(found.text, keep=os.linesep + chr(9) + OF_LANGUAGES)}")
    if not found.fields:
        click.echo(f"there is no card of {found.address} yet: `ai-bridge card set` writes one", err=True)
    sys.stdout.flush()


@click.command()
@click.argument("address", shell_complete=complete_agents)
@common()
def remove(where: Tree, agent: str | None, address: str, as_json: bool) -> None:
    """Take the agent ADDRESS out: it gets no more mail, and its mail goes to the archive, also what is unread.

    Its tool and its place in `*` go. `init ADDRESS` brings it back. While a session is this agent, it is not removed.
    """
    person.refuse_clients("`ai-bridge remove`")
    removed = resolve_agent(where, address, project_for(where, ""))
    if machine := removal.ask(where, removed, A_PERSON):
        click.echo(f"asked: {machine} removes {removed}", err=as_json)
    else:
        _print_removal(removed, removal.remove(where, removed), as_json)


def _print_removal(removed: str, done: Removal, as_json: bool) -> None:
    if as_json:
        echo_json([{"removed": removed, "archived": done.archived, "unread": done.unread}])
        return
    mail = f"{counted(done.archived, 'message')} went to the archive, {done.unread} of them unread"
    click.echo(f"removed {removed}: {mail}; `ai-bridge init {removed}` brings it back")
