"""Both agents send to each other and read, while links are cut and processes killed; then all must be read."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from functools import partial

from tests.networks.ground import AGENTS, Ground
from tests.networks.hosts import Actor, Host, until
from tests.networks.plan import Plan

_REVIVE_S = 1.0
# What a look tells of beside the states before read.
_SEEN = ("read", "conflicts", "reasons")
# What an actor tells beside messages.
_ASIDE = ("trouble: ", "kept ", "notice: ")


@dataclass
class Course:
    """What happened: the actors with all they said, what was done to them, and when the calm ended (epoch);
    `looks` is what each host saw at the end, `ended` who ended by itself."""

    senders: list[Actor]
    readers: list[Actor]
    routers: list[Actor]
    calm_until: float
    done: list[str] = field(default_factory=list)
    looks: list[dict[str, list[str]]] = field(default_factory=list)
    ended: list[Actor] = field(default_factory=list)
    restarted: int = 0
    finished: bool = False

    def actors(self) -> list[Actor]:
        return [*self.senders, *self.readers, *self.routers]


def run(ground: Ground, plan: Plan) -> Course:
    """Run the plan on a ground; every process it starts is ended at the end."""
    course = _begin(ground, plan)
    try:
        _break_things(ground, plan, course)
        ground.heal()
        until(lambda: _all_sent(course), plan.length_s + plan.patience_s, every_s=0.5)
        course.finished = until(lambda: _is_over(ground, course), plan.patience_s, every_s=0.5)
        course.looks = [_seen(host) for host in ground.hosts]
        course.ended = _ended(course)
        return course
    finally:
        for actor in course.actors():
            actor.end()


def _begin(ground: Ground, plan: Plan) -> Course:
    """Start routers and readers, see that they are at work, then start the senders."""
    routers = [host.router() for host in ground.hosts]
    readers = [host.actor("read") for host in ground.hosts]
    for host in ground.hosts:
        assert until(partial(_is_routed, host), 60), f"there is no router on {host.node.name}"
    words = [("send", to, str(plan.messages), str(plan.per_second)) for to in reversed(AGENTS)]
    senders = [host.actor(*said) for host, said in zip(ground.hosts, words, strict=True)]
    return Course(senders, readers, routers, time.time() + plan.calm_s)


def _is_routed(host: Host) -> bool:
    return " started, " in host.router_log.read_text()


def _break_things(ground: Ground, plan: Plan, course: Course) -> None:
    start = time.monotonic()
    for at, verb in plan.events():
        time.sleep(max(start + at - time.monotonic(), 0.0))
        _do(ground, course, verb)
        course.done.append(verb)


def _do(ground: Ground, course: Course, verb: str) -> None:
    if verb == "cut":
        ground.cut()
    elif verb == "heal":
        ground.heal()
    elif verb.startswith("kill router"):
        _keep_routers(course)
        router = course.routers[int(verb[-1])]
        router.kill()
        router.start()
    else:
        number = int(verb[-1])
        ground.kill(number)
        time.sleep(_REVIVE_S)
        ground.revive(number)


def _keep_routers(course: Course) -> None:
    """Start routers that ended by themselves again."""
    for router in course.routers:
        if router.code is not None:
            course.restarted += 1
            router.start()


def _all_sent(course: Course) -> bool:
    _keep_routers(course)
    return all(sender.code is not None for sender in course.senders)


def _is_over(ground: Ground, course: Course) -> bool:
    """All was accepted and shown, and from both hosts nothing is seen in an earlier state."""
    if not _all_sent(course):
        return False
    accepted = {id_ for sender in course.senders for id_ in said(sender)}
    shown = {line.split()[0] for reader in course.readers for line in said(reader)}
    return accepted <= shown and not any(left(host.look()) for host in ground.hosts)


def _seen(host: Host) -> dict[str, list[str]]:
    """Return what is seen from a host; where nothing is to be seen, that counts as one file left behind."""
    try:
        return host.look()
    except (OSError, subprocess.TimeoutExpired) as trouble:
        return {"unseen": [str(trouble)], "unread": [], "read": [], "conflicts": [], "reasons": []}


def left(look: dict[str, list[str]]) -> list[str]:
    """Return the message files that are not read yet."""
    return [name for state, names in look.items() if state not in _SEEN for name in names]


def said(actor: Actor) -> list[str]:
    """Return what an actor said of messages, without what it says beside."""
    return [line for line in list(actor.lines) if not line.startswith(_ASIDE)]


def _ended(course: Course) -> list[Actor]:
    """Return who ended by itself: senders that did not end well, readers and routers at all."""
    return [
        actor for actor in course.actors() if actor.code not in ((None, 0) if actor in course.senders else (None,))
    ]
