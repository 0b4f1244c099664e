"""The health of one agent: how many files wait in each place of its mail, and the findings about them."""

import os
from contextlib import suppress

from ai_bridge.health.finding import HEALTH_WORDS, WRONG, Finding, worst
from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.outbox import (
    ARCHIVED,
    DIRECTORIES,
    DROPPED,
    HELD,
    MALFORMED,
    PROCESSING,
    READ,
    STATES,
    Outbox,
)
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.message import ids
from ai_bridge.router.delay import Delay, age_of
from ai_bridge.system import times, untrusted
from ai_bridge.system.locks import Holder
from ai_bridge.text import on_its_way


class Waits:
    """How many files wait in one place, and the age of the oldest in seconds (0.0 if none waits)."""

    __slots__ = ("count", "oldest_s")

    def __init__(self, paths: list[str], now: float) -> None:
        self.count = len(paths)
        self.oldest_s = round(max((age_of(path, now) for path in paths), default=0.0), 1)

    def as_json(self) -> dict[str, float]:
        return {"count": self.count, "oldest_s": self.oldest_s}


class AgentHealth:
    """One agent: `router` (its holder, or None), outbox root, stuck claims, held, malformed, and its inbox.

    `home` is the machine the agent lives on, '' if that is this one. `abroad` counts, for each other machine, the
    messages in the outbox for agents there, `full` those for each agent that has too much unread mail, and `unrouted`
    those that no router at work here is to move. `coming` is the mail for the agent that is not delivered yet, in all
    outboxes. `delay` describes mail that has not reached it although a router is at work, None if there is none.
    Making one lists the outbox, and adds a finding for each directory of it that cannot be listed.
    """

    __slots__ = (
        *("abroad", "agent", "coming", "delay", "dropped", "findings", "full", "held", "home"),
        *("malformed", "processing", "router", "unread", "unrouted"),
    )

    def __init__(self, agent: str, router: Holder | None, outbox: Outbox, inbox: list[Waiting], now: float) -> None:
        self.agent = agent
        self.router = router
        self.home = ""
        self.abroad: dict[str, int] = {}
        self.full: dict[str, int] = {}
        self.unrouted = 0
        self.coming = Waits([], now)
        self.delay: Delay | None = None
        self.dropped = _waits(outbox, DROPPED, now)
        self.dropped.oldest_s = max(self.dropped.oldest_s, _oldest_composed(outbox, now))
        self.processing = _waits(outbox, PROCESSING, now)
        self.held = _waits(outbox, HELD, now)
        self.malformed = _waits(outbox, MALFORMED, now)
        self.unread = Waits([waiting.path for waiting in inbox], now)
        self.findings: list[Finding] = []
        self._add_unlistable(outbox)

    @property
    def on_its_way(self) -> str:
        """Says how much mail for the agent is not delivered yet, after a count of the delivered; '' if none is."""
        count = self.coming.count
        return f", {count} {on_its_way(count)}" if count and not self.delay else ""

    def add(self, where: str, level: int, what: str, fix: str = "") -> None:
        """Add a finding to `findings`; the arguments are those of `Finding`."""
        self.findings.append(Finding(where, level, what, fix))

    def _add_unlistable(self, outbox: Outbox) -> None:
        """Add a finding for each directory of the outbox that cannot be listed."""
        for state in STATES:
            path = outbox.directory(state)
            try:
                with os.scandir(untrusted.real_directory(path)) as entries:
                    if state not in (
                        READ,
                        ARCHIVED,
                    ):  # of past mail, maybe a million messages, not even the first
                        next(entries, None)
            except FileNotFoundError:
                continue
            except OSError as error:
                what = f"{path} cannot be listed: {error.strerror}; repair or remove it"
                self.add(DIRECTORIES[state] or "outbox", WRONG, what)

    def as_json(self) -> dict[str, object]:
        return {
            "agent": self.agent,
            "router": self.router.pid if self.router else None,
            "dropped": self.dropped.as_json(),
            "processing": self.processing.as_json(),
            "held": self.held.as_json(),
            "malformed": self.malformed.as_json(),
            "unread": self.unread.as_json(),
            "coming": self.coming.as_json(),
            "level": HEALTH_WORDS[worst(self.findings)],
            "findings": [finding.sentence for finding in self.findings],
            **({"home": self.home} if self.home else {}),
            **({"delay": self.delay.as_json()} if self.delay else {}),
        }


def _waits(outbox: Outbox, state: str, now: float) -> Waits:
    return Waits([outbox.file(state, name) for name in outbox.visible(state)], now)


def _oldest_composed(outbox: Outbox, now: float) -> float:
    """Return the age in seconds of the oldest dropped message, by the time in its ID.

    A message that is claimed and released keeps its ID. A hand-made ID may name no time; it is ignored. Returns 0.0
    if no ID names a time.
    """
    for name in outbox.visible(DROPPED):
        if ids.is_own_id(label(name)[0]):
            with suppress(ValueError):
                return round(max(0.0, now - int(times.parse_stamp(ids.stamp_of(label(name)[0])))), 1)
    return 0.0
