"""Whom a message reaches now: how many sessions a broadcast rings, and which recipients have been away for long.

A broadcast is a message to everybody, to a group, or to several agents.
"""

import os
import time

from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.compose import Sent
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.address import is_numbered, is_several, split_list
from ai_bridge.text import counted

# Of so many recipients a sender hears that they have been away.
_MOST = 3
# Within this time an agent is not away for long.
_LONG_S = 86_400.0


def is_broadcast(to: "list[str]", recipients: "list[str]") -> bool:
    """Tell whether a message is a broadcast; `to` is what its sender wrote, and is empty in an answer."""
    return len(recipients) > 1 or any(is_several(entry) for text in to for entry in split_list(text))


def rung(mailboxes: Tree, recipients: "list[str]", urgency: "str | None") -> "int | None":
    """Return how many of the recipients have a live session, which the message rings: none if it is quiet.

    The message was sent already, so nothing is raised: it is None if the disk does not say.
    """
    from ai_bridge.agents import presence  # most messages are to one agent
    from ai_bridge.message.urgency import QUIET

    if urgency == QUIET:
        return 0
    try:
        online = presence.online(mailboxes)
    except (BridgeError, OSError):
        return None
    return sum(recipient in online for recipient in recipients)


def sessions(sent: Sent) -> str:
    """Return `It rings 2 sessions.` of a broadcast, '' of any other message."""
    return "" if sent.rings is None else f"It rings {counted(sent.rings, 'session')}."


def absent(mailboxes: Tree, sent: Sent, numbered_only: bool = False) -> "list[str]":
    """Return a sentence for each of the first recipients that has been away for long, as far as that is known.

    With `numbered_only` it looks for nobody but further sessions that have ended. The message was sent already, so
    nothing is raised if the disk does not say.
    """
    try:
        asked = [one for one in sent.recipients[:_MOST] if _may_be_away(mailboxes, one, numbered_only)]
        if not asked:
            return []
        from ai_bridge.agents.sessions import away  # most recipients had a session today

        return [said for one in asked if (said := away.note(mailboxes, one, _LONG_S, sent.recipients))]
    except (BridgeError, OSError):
        return []


def counts(sent: "list[Sent]") -> str:
    """Return the lines of the command line about the broadcasts among the messages, each line once."""
    said = [f"Sent to {counted(len(one.recipients), 'agent')}. {sessions(one)}" for one in sent if sessions(one)]
    return "".join(f"{line}\n" for line in dict.fromkeys(said))


def notes(mailboxes: Tree, sent: "list[Sent]", is_watched: bool) -> str:
    """Return the lines of the command line about recipients that have been away for long, each line once.

    If nobody watches the command, such as in a script, only ended sessions are looked for: more would slow each send.
    """
    said = [line for one in sent for line in absent(mailboxes, one, numbered_only=not is_watched)]
    return "".join(f"{line}\n" for line in dict.fromkeys(said))


def _may_be_away(mailboxes: Tree, agent: str, numbered_only: bool) -> bool:
    """Tell whether a closer look is worth it; asks the disk once, for the last session on this machine."""
    if is_numbered(agent) or numbered_only:
        return is_numbered(agent)
    try:
        seen = os.stat(mailboxes.lock_file("session", agent)).st_mtime
    except OSError:
        return "presence" in mailboxes.entries()  # it may have sessions on another machine
    return time.time() - seen >= _LONG_S
