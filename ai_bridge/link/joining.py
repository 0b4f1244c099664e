"""Makes and ends a link; asks the server first, so that a link that cannot work is refused at once."""

from __future__ import annotations

from ai_bridge.agents import other_teams
from ai_bridge.link import config
from ai_bridge.link.config import Link, NotInstalled, Refusal, Trouble
from ai_bridge.link.remote_agents import RemoteAgents
from ai_bridge.mailboxes.tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ai_bridge.link.broker.connection import Connection


def make(mailboxes: Tree, link: Link, take_over: bool) -> str:
    """Link the mailboxes, and store the link; returns why the server cannot be reached just now, '' if it can.

    `take_over` takes the team's name from other mailboxes. Raises `BadLink`, `NotInstalled`, or `Refusal` if the
    server or another team refuses; nothing is stored then.
    """
    before = config.load(mailboxes)
    if before is not None and before.team == link.team:
        link.id = before.id
    link.check()
    try:
        from ai_bridge.link.carrier import try_once
    except ImportError:
        raise NotInstalled() from None
    trouble = ""
    try:
        try_once(link, lambda server: server.prepare(take_over))
    except Refusal:
        raise
    except Trouble as found:
        trouble = str(found)
    config.store(mailboxes, link)
    return trouble


def make_streams(link: Link, teams: list[str], replicas: int) -> list[str]:
    """Make the streams and consumers of these teams on the server, as its administrator; returns what is wrong.

    Raises `BadLink`, `NotInstalled`, `Trouble` or `Refusal`.
    """
    for team in teams:
        config.check_team(team)
    link.check()
    try:
        from ai_bridge.link.carrier import try_once
    except ImportError:
        raise NotInstalled() from None
    notes: list[str] = []

    async def do(server: Connection) -> None:
        notes.extend(await server.make_streams(teams, replicas))

    try_once(link, do)
    return notes


def end(mailboxes: Tree) -> tuple[Link, str]:
    """Remove the link and its agents, and take our cards and name back from the server.

    Returns the link, and why the server could not be asked, '' if it was. Raises `BadLink` if there is no link.
    """
    link = config.load(mailboxes)
    if link is None:
        raise config.BadLink(what="these mailboxes have no link: `ai-bridge link URL --as TEAM` makes one")
    config.remove(mailboxes, link)
    book = RemoteAgents(mailboxes, link, 0)
    book.refresh()
    for called, card in list(book.others.items()):
        if card.get(other_teams.LINK) == link.team:
            book.forget(called)
    try:
        from ai_bridge.link.carrier import try_once

        try_once(link, lambda server: server.leave(list(book.cards())))
    except ImportError:
        return link, str(NotInstalled())
    except Trouble as found:
        return link, str(found)
    return link, ""
