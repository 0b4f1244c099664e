"""How much is sent, and what goes wrong meanwhile: one short form, one full, and the soak."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass

VERBS = ("kill router 0", "kill daemon 0", "kill router 1", "kill daemon 1")


@dataclass(frozen=True)
class Plan:
    """Messages each way and how many a second; then seconds, and how often the links are cut.

    The first `calm_s` seconds nothing goes wrong, so that they show what mail takes; then a link is cut every
    `every_s` seconds, for `cut_s`, `flaps` times, and between two cuts something is killed; then comes one cut of
    `partition_s`. Afterwards all must be read within `patience_s`.
    """

    messages: int = 60
    per_second: float = 3.0
    calm_s: float = 8.0
    flaps: int = 2
    every_s: float = 5.0
    cut_s: float = 2.0
    partition_s: float = 0.0
    patience_s: float = 90.0

    def events(self) -> Iterator[tuple[float, str]]:
        """Yield what goes wrong, or is mended, and at how many seconds after the start."""
        verbs = itertools.cycle(VERBS)
        for flap in range(self.flaps):
            at = self.calm_s + flap * self.every_s
            yield at, "cut"
            yield at + self.cut_s, "heal"
            yield at + (self.cut_s + self.every_s) / 2, next(verbs)
            yield at + (self.cut_s + self.every_s) / 2 + 0.1, next(verbs)
        if self.partition_s:
            at = self.calm_s + self.flaps * self.every_s
            yield at, "cut"
            yield at + self.partition_s, "heal"

    @property
    def length_s(self) -> float:
        """Seconds until all is sent and everything is mended, at best."""
        return max(self.messages / self.per_second, self.calm_s + self.flaps * self.every_s + self.partition_s)

    def words(self) -> list[str]:
        """Return the options of `tests.networks.run` that mean this plan."""
        return [f"--{name.replace('_', '-')}={value}" for name, value in asdict(self).items()]


SHORT = Plan()
FULL = Plan(
    messages=1000,
    per_second=5.0,
    calm_s=30.0,
    flaps=10,
    every_s=8.0,
    cut_s=3.0,
    partition_s=60.0,
    patience_s=240.0,
)


def soak(seconds: float, messages: int, flaps: int) -> Plan:
    """Return a plan of that length; `messages` is the sum of both ways."""
    each = messages // 2
    every_s = seconds * 0.9 / (flaps + 1)
    return Plan(
        messages=each,
        per_second=each / (seconds * 0.95),
        calm_s=every_s,
        flaps=flaps,
        every_s=every_s,
        cut_s=min(every_s / 4, 15.0),
        partition_s=60.0 if seconds > 600 else 0.0,
        patience_s=300.0,
    )
