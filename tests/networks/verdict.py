"""What a run proves, in numbers and in one line."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from ai_bridge.message.ids import stamp_of
from tests.networks.hosts import Actor
from tests.networks.workload import Course, left, said


@dataclass(frozen=True)
class Verdict:
    """Counts, and times in milliseconds from composed to in the reader's hands: of the calm, and of all.

    `left` are files in an earlier state than read, on either side; `again` are messages shown again after their
    acknowledgement failed, which is allowed; `untold` were dropped though their sender was told of trouble, and sent
    once more; `overtaken` came after a later one of their sender; `ended` are actors that ended by themselves, and
    `restarted` routers that did and were started again, as whoever keeps services does.
    """

    sent: int
    lost: int
    twice: int
    conflicts_delivered: int
    left: int
    again: int
    untold: int
    overtaken: int
    conflict_files: int
    calm_p50: float
    calm_p99: float
    all_p50: float
    all_p99: float
    cuts: int
    kills: int
    restarted: int
    ended: int
    finished: bool

    @property
    def is_clean(self) -> bool:
        return self.finished and not (self.lost or self.twice or self.conflicts_delivered or self.left or self.ended)

    def line(self, name: str) -> str:
        """Return the verdict in a line, for people."""
        counts = (
            f"sent={self.sent} lost={self.lost} read_twice={self.twice} "
            f"conflict_copies_delivered={self.conflicts_delivered} left_behind={self.left}"
        )
        more = (
            f"shown_again={self.again} untold={self.untold} overtaken={self.overtaken} "
            f"conflict_files={self.conflict_files}"
        )
        times = f"calm {self.calm_p50:.0f}/{self.calm_p99:.0f} all {self.all_p50:.0f}/{self.all_p99:.0f}"
        end = "" if self.finished else "; NOT ALL WAS READ IN TIME"
        end += f"; {self.ended} ENDED BY THEMSELVES" if self.ended else ""
        done = f"cuts={self.cuts} kills={self.kills} restarted={self.restarted}"
        return f"{name}: {counts}; {more}; p50/p99 ms {times}; {done}{end}"

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def judge(course: Course) -> Verdict:
    """Return what the run proves."""
    accepted = [id_ for sender in course.senders for id_ in said(sender)]
    shown = [line.split(" ", 2) for reader in course.readers for line in said(reader)]
    counts = Counter(id_ for id_, _, _ in shown)
    kept = Counter(line.split()[1] for reader in course.readers for line in reader.lines if line.startswith("kept "))
    times = [(_composed(id_), float(at)) for id_, at, _ in shown]
    calm = [at - composed for composed, at in times if at < course.calm_until]
    return Verdict(
        sent=len(accepted),
        lost=len(set(accepted) - set(counts)),
        twice=sum(count > 1 + kept[id_] for id_, count in counts.items()),
        conflicts_delivered=_conflicts(course, [name for _, _, name in shown]),
        left=sum(len(left(look)) for look in course.looks),
        again=sum(1 < count <= 1 + kept[id_] for id_, count in counts.items()),
        untold=len(set(counts) - set(accepted)),
        overtaken=sum(_overtaken(reader) for reader in course.readers),
        conflict_files=sum(len(look["conflicts"]) for look in course.looks),
        calm_p50=_percentile(calm, 50),
        calm_p99=_percentile(calm, 99),
        all_p50=_percentile([at - composed for composed, at in times], 50),
        all_p99=_percentile([at - composed for composed, at in times], 99),
        cuts=course.done.count("cut"),
        kills=sum(verb.startswith("kill") for verb in course.done),
        restarted=course.restarted,
        ended=len(course.ended),
        finished=course.finished,
    )


def _composed(id_: str) -> float:
    """Return the time in an ID, in seconds since the epoch."""
    return datetime.strptime(stamp_of(id_), "%Y%m%d%H%M%S%f").replace(tzinfo=UTC).timestamp()


def _conflicts(course: Course, shown: Sequence[str]) -> int:
    """Count conflict copies that were shown, or lie where only delivered mail lies."""
    delivered = {name for look in course.looks for state in ("unread", "read") for name in look[state]}
    return sum("conflict" in name for name in {*shown, *delivered})


def _overtaken(reader: Actor) -> int:
    """Count messages shown after a later one (a host has one sender only)."""
    latest, found = "", 0
    for stamp in (stamp_of(line.split()[0]) for line in said(reader)):
        found += stamp < latest
        latest = max(latest, stamp)
    return found


def _percentile(seconds: Sequence[float], percent: int) -> float:
    """Return a percentile in milliseconds, or not-a-number where nothing was measured."""
    if not seconds:
        return math.nan
    ordered = sorted(seconds)
    return 1000 * ordered[math.ceil(len(ordered) * percent / 100) - 1]
