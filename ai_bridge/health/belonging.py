"""The place of a session here: its project, its mailboxes, its address, and other mailboxes of the same project."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ai_bridge.agents import identity, projects
from ai_bridge.clients import project
from ai_bridge.clients.files import USER
from ai_bridge.health.finding import NOTE, OK, Finding
from ai_bridge.inbox import takeover
from ai_bridge.install.places import present
from ai_bridge.mailboxes import find
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, UNREAD, Outbox
from ai_bridge.mailboxes.tree import Tree, is_mailboxes
from ai_bridge.message.address import project_of
from ai_bridge.system import git


def examine(where: Tree) -> Iterator[Finding]:
    """Yield the findings about the place of a session that starts in this folder and uses these mailboxes."""
    root = project.root()
    if root:
        yield Finding("project", OK, f"{projects.here()}, the folder {root}")
    addresses = [identity.who(where, client=one.own_name).address for one in present(USER)]
    sessions = f"; a session here is {' or '.join(dict.fromkeys(addresses))}" if addresses else ""
    yield Finding("mailboxes", OK, f"{where.path} ({find.why(where)}){sessions}")
    yield from _in_users_own(where)
    yield from _in_worktrees(where, root)


def _in_users_own(where: Tree) -> Iterator[Finding]:
    """Yield a finding if the user's own mailboxes hold agents of this project, too: their mail does not meet."""
    own = Tree(find.user_wide())
    if find.is_users_own(where) or not is_mailboxes(own.path):
        return
    name = projects.here()
    if twins := [agent for agent in own.agents() if name and project_of(agent) == name]:
        said = f"your own mailboxes {own.path} hold agents of this project, too: {', '.join(twins)}"
        yield Finding("twins", NOTE, said, _way_out(own, twins, name))


def _way_out(own: Tree, twins: list[str], project: str) -> str:
    """Return the command for mail that waits there for these agents; '' if none waits."""
    waits = {agent: [box.owner for box in own.outboxes() if _holds_mail(box, agent)] for agent in twins}
    if any(takeover.may_come(sender, project) for senders in waits.values() for sender in senders):
        return "ai-bridge init --take-over"
    agent = next((agent for agent, senders in waits.items() if senders), "")
    return f"ai-bridge read --agent {agent} --mailboxes {shlex.quote(own.path)}" if agent else ""


def _holds_mail(outbox: Outbox, agent: str) -> bool:
    return any(outbox.visible(state, agent) for state in (DROPPED, PROCESSING, UNREAD))


def _in_worktrees(where: Tree, root: str) -> Iterator[Finding]:
    """Yield a finding for other mailboxes in worktrees of the same repository: mail does not cross between them."""
    for folder in git.worktrees(root) if root else []:
        other = find.within(folder)
        if other is not None and Tree(other).real() != where.real():
            said = f"{other} belongs to a worktree of this project: its agents and those of {where.path} never meet"
            yield Finding("twins", NOTE, said)
