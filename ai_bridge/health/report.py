"""The whole report of `health`: the agents, the surroundings, and the worst level of both."""

from ai_bridge.health import mail, surroundings
from ai_bridge.health.agent_health import AgentHealth
from ai_bridge.health.finding import HEALTH_WORDS, Finding
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings


class Report:
    """How mailboxes stand: the health of `agents`, findings `around` them, and the worst `level` of all findings.

    The level is OK, NOTE or WRONG, as in a `Finding`; surroundings count as NOTE at most.
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


def examine(mailboxes: Tree, settings: Settings, agents: list[str]) -> Report:
    """Return the report on these agents, and on what surrounds the mailboxes; reads the disk and takes no lock."""
    return Report(mail.examine(mailboxes, settings, agents), surroundings.examine(mailboxes, settings))
