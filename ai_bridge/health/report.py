"""The whole report of `health`: the agents, the surroundings, and the worst level of both."""

from ai_bridge.health import mail, surroundings
from ai_bridge.health.agent_health import AgentHealth
from ai_bridge.health.finding import HEALTH_WORDS, NOTE, Finding
from ai_bridge.health.set_aside import MOST
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings


class Report:
    """How mailboxes stand: the health of `agents`, findings `around` them, and the worst `level` of all findings.

    The level is OK, NOTE or WRONG, as in a `Finding`; of the surroundings only the disk counts as WRONG.
    """

    __slots__ = ("agents", "around", "level")

    def __init__(self, agents: list[AgentHealth], around: list[Finding]) -> None:
        self.agents = agents
        self.around = around
        self.level = max(mail.worst_level(agents), surroundings.level(around))

    def as_json(self) -> list[dict[str, object]]:
        """Return the objects for programs: one per agent, one per finding around them, and the level in a word."""
        around: list[dict[str, object]] = [
            {"around": one.where, "found": one.what, "fix": one.fix} for one in self.around
        ]
        return [*(agent.as_json() for agent in self.agents), *around, {"level": HEALTH_WORDS[self.level]}]


def examine(mailboxes: Tree, settings: Settings, agents: list[str], most: int = MOST) -> Report:
    """Return the report on these agents, and on what surrounds the mailboxes; reads the disk and takes no lock.

    At most `most` files are shown one by one of what is malformed, and of what is held, in an outbox.
    """
    found = mail.examine(mailboxes, settings, agents, most)
    return Report(found, [*_routers(found), *surroundings.examine(mailboxes, settings)])


def _routers(agents: list[AgentHealth]) -> list[Finding]:
    """Return one finding if agents of this machine have no router, for all of them together."""
    here = [agent for agent in agents if not agent.home]
    without = [agent.agent for agent in here if agent.router is None]
    if not without:
        return []
    for_whom = "" if len(without) == len(here) else f" for {', '.join(without)}"
    said = f"no router runs{for_whom}: mail is delivered when its recipient reads or waits"
    return [Finding("router", NOTE, f"{said}; one is needed for links, and to deliver meanwhile", "ai-bridge start")]
