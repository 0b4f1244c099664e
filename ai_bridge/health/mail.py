"""How the mail stands: for each agent its router, its outbox and its inbox, as data with a level."""

import os
import time

from ai_bridge.agents.policy import Policies
from ai_bridge.errors import DiskError, disk_error
from ai_bridge.link import state as link_state
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes.outbox import DROPPED, HELD, MALFORMED, PROCESSING, READ, STATES, Outbox, label
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.mailboxes.unread import Waiting, inboxes
from ai_bridge.message import address, message
from ai_bridge.router.delay import Delay, age_of, delay_of, delays, idle_s
from ai_bridge.settings import Settings
from ai_bridge.system import times, untrusted
from ai_bridge.system.locks import Holder, holder

HEALTHY, WARNING, CRITICAL = range(3)
LEVELS = ("healthy", "warning", "critical")
# A router at work looks at everything once a sweep, and at what comes at once. One that has moved nothing for so many
# sweeps, and for so many seconds, while mail waits, does not work.
_SWEEPS, _STALLED_S = 2, 2.0


class Waits:
    """How many files wait in one place, and the age of the oldest in seconds (0 where none waits)."""

    __slots__ = ("count", "oldest_s")

    def __init__(self, paths: list[str], now: float) -> None:
        self.count = len(paths)
        self.oldest_s = round(max((age_of(path, now) for path in paths), default=0.0), 1)

    def as_json(self) -> dict[str, float]:
        return {"count": self.count, "oldest_s": self.oldest_s}


class AgentHealth:
    """One agent: `router` (its holder, or None), outbox root, stuck claims, held, malformed, and its inbox.

    `home` is the machine it lives on, '' where that is this one; `abroad` counts what waits in its outbox for agents
    on each other machine. `delay` is what is on its way to it although a router is at work, None if nothing is.
    """

    __slots__ = (
        *("abroad", "agent", "delay", "dropped", "findings", "held", "home"),
        *("malformed", "processing", "router", "unread"),
    )

    def __init__(self, agent: str, router: Holder | None, outbox: Outbox, inbox: list[Waiting], now: float) -> None:
        self.agent = agent
        self.router = router
        self.home = ""
        self.abroad: dict[str, int] = {}
        self.delay: Delay | None = None
        self.dropped = _waits(outbox, DROPPED, now)
        self.dropped.oldest_s = max(self.dropped.oldest_s, _oldest_composed(outbox, now))
        self.processing = _waits(outbox, PROCESSING, now)
        self.held = _waits(outbox, HELD, now)
        self.malformed = _waits(outbox, MALFORMED, now)
        self.unread = Waits([waiting.path for waiting in inbox], now)
        self.findings: list[tuple[int, str]] = []
        for state in STATES:
            try:
                with os.scandir(untrusted.real_directory(outbox.directory(state))) as entries:
                    if state != READ:  # of past mail, which may be a million messages, not even the first
                        next(entries, None)
            except FileNotFoundError:
                continue
            except OSError as error:
                self.find(
                    CRITICAL, f"{outbox.directory(state)} cannot be listed: {error.strerror}; mend or remove it"
                )

    def find(self, level: int, sentence: str) -> None:
        self.findings.append((level, sentence))

    def as_json(self) -> dict[str, object]:
        return {
            "agent": self.agent,
            "router": self.router.pid if self.router else None,
            "dropped": self.dropped.as_json(),
            "processing": self.processing.as_json(),
            "held": self.held.as_json(),
            "malformed": self.malformed.as_json(),
            "unread": self.unread.as_json(),
            "level": LEVELS[max((level for level, _ in self.findings), default=HEALTHY)],
            "findings": [sentence for _, sentence in self.findings],
            **({"home": self.home} if self.home else {}),
            **({"delay": self.delay.as_json()} if self.delay else {}),
        }


def router_of(mailboxes: Mailboxes, agent: str) -> Holder | None:
    """Return the router at work for the agent; a reader making a pass is none."""
    found = holder(mailboxes.lock_file("router", agent))
    return found if found and found.role == "router" else None


def why(mailboxes: Mailboxes, place: Place) -> str | None:
    """Return why a message is where it is: the reason it was set aside, or that no router moves it; else None.

    Of an unread message to another team's agent it is where it waits.
    """
    agent = place.recipient
    if (there := link_state.whereabouts(mailboxes, place)) is not None:
        return there
    if place.state not in (DROPPED, PROCESSING) or not agent:
        return place.reason
    if place.state == DROPPED and (trouble := _card_trouble(Policies(mailboxes), agent)):
        return f"it waits, for {trouble}"
    if (router := router_of(mailboxes, agent)) is not None:
        late = delay_of(place.path, router)
        return late.unmoved if late else place.reason
    if place.state != DROPPED:
        return place.reason
    if there := _machine_of(Homes(mailboxes), agent):
        return f"{agent} lives on {there}, and is delivered there"
    return f"no router runs for {agent}: it is delivered when {agent} reads, or by `ai-bridge start`"


def examine(mailboxes: Mailboxes, settings: Settings, agents: list[str]) -> list[AgentHealth]:
    """Return the health of each agent, with a finding for whatever a person should look at."""
    now = time.time()
    reports = []
    waiting, homes, policies = inboxes(mailboxes), Homes(mailboxes), Policies(mailboxes)
    late = delays(mailboxes)
    unmoved_s = idle_s(mailboxes) if late else 0.0
    for agent in agents:
        router = router_of(mailboxes, agent)
        report = AgentHealth(agent, router, mailboxes.outbox(agent), waiting.get(agent, []), now)
        report.home = _machine_of(homes, agent) or _link_of(homes, agent)
        report.delay = late.get(agent)
        _note_abroad(report, mailboxes.outbox(agent), homes)
        _judge(report, settings)
        _judge_delay(report, unmoved_s, settings)
        _judge_card(report, policies, homes)
        reports.append(report)
    return reports


def _machine_of(homes: Homes, agent: str) -> str:
    """Return the other machine an agent lives on, '' where there is none, or its card cannot be read now."""
    try:
        return homes.of(agent) if homes.is_elsewhere(agent) else ""
    except DiskError:
        return ""


def _link_of(homes: Homes, agent: str) -> str:
    """Return what carries the mail of an agent of another team, '' of one of these mailboxes."""
    try:
        link = homes.links([agent]).get(agent, "")
    except DiskError:
        return ""
    return f"the link {link}" if link else ""


def _card_trouble(policies: Policies, agent: str) -> str:
    """Return why an agent's card cannot be read now, '' where it can."""
    try:
        policies.damage(agent)
    except OSError as error:
        return f"the card of {agent} cannot be read now: {disk_error(error.filename, error)}"
    return ""


def _judge_card(report: AgentHealth, policies: Policies, homes: Homes) -> None:
    """Say what is wrong with the agent's card, and the command that repairs it."""
    agent = report.agent
    if trouble := _card_trouble(policies, agent):
        report.find(WARNING, f"its mail waits, for {trouble}")
    elif damage := policies.damage(agent):
        repair = f"its card is damaged ({damage}): `ai-bridge card edit {agent}` repairs it"
        if homes.of(agent) or not homes.are_shared():
            report.find(WARNING, f"{repair}; until then its mail is held")
        else:
            report.find(WARNING, f"{repair}, then `ai-bridge init {agent}` where it is to live; its mail waits")


def _note_abroad(report: AgentHealth, outbox: Outbox, homes: Homes) -> None:
    """Count what waits for agents on other machines, which no router here will take."""
    for name in outbox.visible(DROPPED):
        recipient = label(name)[1]
        if address.is_address(recipient) and (there := _machine_of(homes, recipient)):
            report.abroad[there] = report.abroad.get(there, 0) + 1


def _judge(report: AgentHealth, settings: Settings) -> None:
    """Put what is not well into words: what, since when, and the command that mends it."""
    if report.router is None and not report.home:
        report.find(
            WARNING, f"no router: mail moves only when someone reads; `ai-collab start --agent {report.agent}`"
        )
    if report.processing.oldest_s > settings.stuck_s:
        report.find(
            CRITICAL,
            f"{report.processing.count} stuck in .processing for {times.age(report.processing.oldest_s)}; "
            "a restarted router releases them: `ai-collab restart`",
        )
    if report.abroad:
        waits = ", ".join(f"{count} for {there}" for there, count in sorted(report.abroad.items()))
        report.find(HEALTHY, f"{waits} to take when it is there")
    here = report.dropped.count - sum(report.abroad.values())
    if here and report.dropped.oldest_s > settings.stuck_s:
        report.find(
            CRITICAL,
            f"{here} not picked up for {times.age(report.dropped.oldest_s)}; "
            "start the recipients' routers: `ai-collab start`",
        )
    if report.held.count:
        report.find(
            HEALTHY,
            f"{report.held.count} held for a person's word, each with its reason beside it in .held; "
            f"to let all go on: `ai-bridge allow {report.agent}`",
        )
    if report.malformed.count:
        report.find(WARNING, f"{report.malformed.count} malformed; each has its reason beside it in .malformed")


def _judge_delay(report: AgentHealth, unmoved_s: float, settings: Settings) -> None:
    """Warn of a router that holds its lock and moves nothing; one that is busy with other mail moves that."""
    patience_s = min(max(_SWEEPS * settings.sweep_s, _STALLED_S), settings.stuck_s)
    if report.delay is None:
        return
    if min(report.delay.seconds, unmoved_s) >= patience_s:
        report.find(WARNING, f"{report.delay}; `ai-collab restart` puts another in its place")
    else:
        report.find(HEALTHY, str(report.delay))


def level(reports: list[AgentHealth]) -> int:
    """Return the worst level found: 0 healthy, 1 warning, 2 critical; no agent at all is critical."""
    if not reports:
        return CRITICAL
    return max((found for report in reports for found, _ in report.findings), default=HEALTHY)


def _waits(outbox: Outbox, state: str, now: float) -> Waits:
    return Waits([outbox.file(state, name) for name in outbox.visible(state)], now)


def _oldest_composed(outbox: Outbox, now: float) -> float:
    """Return the age of the oldest dropped message by its ID: one that is claimed and given back keeps it."""
    names = [name for name in outbox.visible(DROPPED) if message.is_own_id(label(name)[0])]
    stamp = message.stamp_of(label(names[0])[0]) if names else ""
    return round(max(0.0, now - int(times.parse_stamp(stamp))), 1) if stamp else 0.0
