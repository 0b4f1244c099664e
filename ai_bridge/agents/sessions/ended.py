"""Nobody's mail: that for a further session (`claude-2`) which has ended. The agent's other sessions are offered it.

Only this machine's sessions are: a kernel lock shows at once whether the session lives. An agent that lives on
another machine, or in another project, has another address or another state directory.
"""

import time
from itertools import takewhile

from ai_bridge.agents.presence import SESSION, session
from ai_bridge.agents.sessions import further
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import state_files

# A session whose server is restarted has its name again within seconds: nobody is rung for its mail before that.
RESTART_S = 10.0


def has_ended(mailboxes: Tree, name: str) -> bool:
    """Tell whether no session has the name now, and this machine moves its mail; False if the disk does not say."""
    return _is_free(mailboxes, name) and mailboxes.part(Homes).is_routed_here(name)


def offered_to(mailboxes: Tree, agent: str) -> list[str]:
    """Return the names of further sessions that have ended, and whose mail `agent` may therefore read.

    `agent` is the agent of these sessions, or has the name of a further session itself.
    """
    own = further.own_of(mailboxes, agent) or agent
    return [name for name in further.names_of(mailboxes, own) if name != agent and has_ended(mailboxes, name)]


def rung_for(mailboxes: Tree, agent: str) -> list[str]:
    """Return those of `offered_to` for whose mail a session of `agent` is rung.

    One session is enough: of several, that of the agent itself, else the one with the lowest number. It is not rung
    for a session that ended within the last `RESTART_S` seconds.
    """
    own = further.own_of(mailboxes, agent) or agent
    names = further.names_of(mailboxes, own)
    found = [name for name in names if name != agent and _is_over(mailboxes, name)]
    if not found:
        return []
    earlier = takewhile(lambda name: name != agent, (own, *names))
    return found if all(_is_free(mailboxes, name) for name in earlier) else []


def nobodys(mailboxes: Tree, agent: str) -> list[str]:
    """Return no name: for a program that reads as an agent, and is no session."""
    return []


def _is_free(mailboxes: Tree, name: str) -> bool:
    """Tell whether no session has the name; False if the disk does not say."""
    try:
        return session(mailboxes, name) is None
    except OSError:
        return False


def _is_over(mailboxes: Tree, name: str) -> bool:
    used = state_files.written_s(mailboxes.lock_file(SESSION, name))
    return not 0 <= time.time() - used < RESTART_S and has_ended(mailboxes, name)
