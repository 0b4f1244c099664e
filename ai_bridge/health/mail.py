"""The state of the mail: the health of each agent, with a finding for everything that a person should look at."""

import time

from ai_bridge.agents.policy import Policies
from ai_bridge.errors import DiskError, disk_error
from ai_bridge.health import set_aside
from ai_bridge.health.agent_health import AgentHealth, Waits
from ai_bridge.health.finding import NOTE, OK, WRONG, worst
from ai_bridge.link.state import whereabouts
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.card_files import CardFiles
from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, READ, UNREAD, Outbox
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import coming, inboxes, unread_for
from ai_bridge.message import address
from ai_bridge.message.reference import View
from ai_bridge.reach import heard
from ai_bridge.router.at_work import router_of
from ai_bridge.router.delay import delay_of, delays, idle_s
from ai_bridge.sending import room
from ai_bridge.settings import Settings, load
from ai_bridge.system import times
from ai_bridge.text import counted

# A router at work looks at everything once per sweep, and at new mail at once. A router is stalled if mail waits and
# it has moved nothing for so many sweeps and so many seconds.
_SWEEPS, _STALLED_S = 2, 2.0


def why(mailboxes: Tree, place: Place) -> str | None:
    """Return why a message is where it is, or None if there is nothing to explain.

    That is the reason why it was set aside, what keeps it from being delivered, or how its recipient's session was
    rung. For an unread message to another team's agent it is the place where the message waits. Reads the disk and
    takes no lock.
    """
    agent = place.recipient
    if (there := whereabouts(mailboxes, place)) is not None:
        return there
    if place.state in (UNREAD, READ) and agent:
        return heard.account(mailboxes, place) or place.reason()
    if place.state in (DROPPED, PROCESSING) and agent:
        return _why_waiting(mailboxes, place, agent)
    return place.reason()


def _why_waiting(mailboxes: Tree, place: Place, agent: str) -> str | None:
    """Return what keeps a message from being delivered to the agent, or None."""
    if place.state == DROPPED and (trouble := _card_trouble(Policies(mailboxes.part(CardFiles)), agent)):
        return f"it waits, for {trouble}"
    if place.state == DROPPED and (full := _fullness(mailboxes, agent)):
        return full
    if (router := router_of(mailboxes, agent)) is not None:
        late = delay_of(place.path, router)
        return late.unmoved if late else place.reason()
    if place.state != DROPPED:
        return place.reason()
    if there := _machine_of(mailboxes.part(Homes), agent):
        return f"{agent} lives on {there}, and is delivered there"
    return f"no router runs for {agent}: it is delivered when {agent} reads, or by `ai-bridge start`"


def explain(mailboxes: Tree, text: str, view: View | None = None) -> list[tuple[Place, str | None]]:
    """Return every place of one message, each with what `why` returns for it; reads the disk and takes no lock.

    `text` and `view` name the message as they do for `trace.find`, and it raises what that does.
    """
    return [(place, why(mailboxes, place)) for place in trace.find(mailboxes, text, view)]


def examine(mailboxes: Tree, settings: Settings, agents: list[str], most: int = set_aside.MOST) -> list[AgentHealth]:
    """Return the health of each agent, with its findings; reads the disk and takes no lock.

    At most `most` files are shown one by one of what is malformed, and of what is held, in an outbox.
    """
    now = time.time()
    reports = []
    waiting, on_its_way, cards = inboxes(mailboxes), coming(mailboxes), mailboxes.part(CardFiles)
    homes, policies = Homes(mailboxes, cards), Policies(cards)
    late = delays(mailboxes)
    unmoved_s = idle_s(mailboxes) if late else 0.0
    waiting_for_full = {
        agent: room.waiting_for(mailboxes, agent)
        for agent, unread in waiting.items()
        if 0 < settings.max_unread <= len(unread)
    }
    for agent in agents:
        router = router_of(mailboxes, agent)
        report = AgentHealth(agent, router, mailboxes.outbox(agent), waiting.get(agent, []), now)
        report.coming = Waits(on_its_way.get(agent, []), now)
        report.home = _machine_of(homes, agent) or _link_of(homes, agent)
        report.delay = late.get(agent)
        _note_abroad(report, mailboxes.outbox(agent), homes)
        _note_unrouted(report, mailboxes)
        report.full = {full: waits[agent] for full, waits in waiting_for_full.items() if agent in waits}
        if agent in waiting_for_full:
            _judge_full(report, sum(waiting_for_full[agent].values()))
        _judge(report, settings)
        _judge_delay(report, unmoved_s, settings)
        _judge_card(report, policies, homes)
        if late_to_hear := heard.unheard(mailboxes, agent, waiting.get(agent, []), settings):
            report.add("session", NOTE, late_to_hear, "ai-bridge doctor")
        report.findings += set_aside.examine(mailboxes.outbox(agent), most)
        reports.append(report)
    return reports


def _machine_of(homes: Homes, agent: str) -> str:
    """Return the other machine that an agent lives on; '' if it lives here or its card cannot be read now."""
    try:
        return homes.home_of(agent) if homes.is_elsewhere(agent) else ""
    except DiskError:
        return ""


def _link_of(homes: Homes, agent: str) -> str:
    """Return the link that carries the mail of another team's agent; '' for an agent of these mailboxes."""
    try:
        link = homes.links([agent]).get(agent, "")
    except DiskError:
        return ""
    return f"the link {link}" if link else ""


def _card_trouble(policies: Policies, agent: str) -> str:
    """Return why an agent's card cannot be read now; '' if it can be read."""
    try:
        policies.damage(agent)
    except OSError as error:
        return f"the card of {agent} cannot be read now: {disk_error(error.filename, error)}"
    return ""


def _judge_card(report: AgentHealth, policies: Policies, homes: Homes) -> None:
    """Add a finding if the agent's card cannot be read or is damaged."""
    agent = report.agent
    if trouble := _card_trouble(policies, agent):
        report.add("card", NOTE, f"its mail waits, for {trouble}")
    elif damage := policies.damage(agent):
        fix = f"ai-bridge card edit {agent}"
        what = f"its card is damaged ({damage}): `{fix}` repairs it"
        if homes.home_of(agent) or not homes.are_shared():
            what += "; until then its mail is held"
        else:
            what += f", then `ai-bridge init {agent}` where it is to live; its mail waits"
        report.add("card", NOTE, what, fix)


def _note_abroad(report: AgentHealth, outbox: Outbox, homes: Homes) -> None:
    """Count in `report.abroad` the messages for agents on other machines, which no router here will take."""
    for name in outbox.visible(DROPPED):
        recipient = label(name)[1]
        if address.is_address(recipient) and (there := _machine_of(homes, recipient)):
            report.abroad[there] = report.abroad.get(there, 0) + 1


def _note_unrouted(report: AgentHealth, mailboxes: Tree) -> None:
    """Count in `report.unrouted` the dropped messages that no router at work here is to move."""
    names = mailboxes.outbox(report.agent).visible(DROPPED)
    recipients = [label(name)[1] for name in names]
    movers = [one if address.is_address(one) else report.agent for one in recipients]
    routed = {mover: router_of(mailboxes, mover) is not None for mover in set(movers)}
    report.unrouted = sum(not routed[mover] for mover in movers)


def _fullness(mailboxes: Tree, agent: str) -> str:
    """Return that the agent has too much unread mail for more to be delivered, '' if it has not."""
    limit = load(mailboxes.path).max_unread
    unread = len(unread_for(mailboxes, agent)) if limit else 0
    return room.sentence(agent, unread) if unread and unread >= limit else ""


def _judge_full(report: AgentHealth, count: int) -> None:
    """Add a finding about mail that waits because the agent has too much unread; it is not late then."""
    report.delay = None
    fix = f"ai-bridge read --agent {report.agent}"
    what = f"{report.unread.count} unread, the most that is set (max_unread), and {counted(count, 'message')} waiting"
    report.add("inbox", NOTE, f"{what} in the outboxes until it reads: `{fix}`, or set more", fix)


def _judge(report: AgentHealth, settings: Settings) -> None:
    """Add findings about what waits in each place."""
    _judge_processing(report, settings)
    _judge_outbox(report, settings)


def _judge_processing(report: AgentHealth, settings: Settings) -> None:
    """Add a finding if a claim is stuck."""
    if report.processing.oldest_s > settings.stuck_s:
        fix = "ai-bridge restart"
        what = f"{report.processing.count} stuck in .processing for {times.age(report.processing.oldest_s)}"
        report.add(".processing", WRONG, f"{what}; a restarted router releases them: `{fix}`", fix)


def _judge_outbox(report: AgentHealth, settings: Settings) -> None:
    """Add findings about what waits for other machines, and about mail that no router here picks up."""
    if report.abroad:
        waits = ", ".join(f"{count} for {there}" for there, count in sorted(report.abroad.items()))
        report.add("outbox", OK, f"{waits} to take when it is there")
    for full, count in sorted(report.full.items()):
        report.add("outbox", OK, f"{counted(count, 'message')} waiting until {full} has read its mail (max_unread)")
    here = report.dropped.count - sum(report.abroad.values()) - sum(report.full.values())
    if here <= 0 or report.dropped.oldest_s <= settings.stuck_s:
        return
    age, unrouted = times.age(report.dropped.oldest_s), min(here, report.unrouted)
    if here > unrouted:
        fix = "ai-bridge restart"
        what = f"{here - unrouted} not picked up for {age} although a router runs"
        report.add("outbox", WRONG, f"{what}: `{fix}`", fix)
    if unrouted:
        fix = "ai-bridge start"
        what = f"{unrouted} not picked up for {age}, because no router runs and the recipient has not read"
        report.add("outbox", NOTE, f"{what}: `{fix}`", fix)


def _judge_delay(report: AgentHealth, unmoved_s: float, settings: Settings) -> None:
    """Add a finding about mail on its way: NOTE if its router moves nothing at all, OK if it moves other mail."""
    patience_s = min(max(_SWEEPS * settings.sweep_s, _STALLED_S), settings.stuck_s)
    if report.delay is None:
        return
    if min(report.delay.seconds, unmoved_s) >= patience_s:
        fix = "ai-bridge restart"
        report.add("router", NOTE, f"{report.delay}; `{fix}` puts another in its place", fix)
    else:
        report.add("router", OK, str(report.delay))


def worst_level(reports: list[AgentHealth]) -> int:
    """Return the worst level of all findings; WRONG if there is no agent at all."""
    if not reports:
        return WRONG
    return worst(finding for report in reports for finding in report.findings)
