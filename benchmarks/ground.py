"""The mailboxes on which the rows of `scale` are measured, and the rows of its table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import common
import tree
from common import ms

from ai_bridge.mailboxes.compose import Sent
from ai_bridge.mailboxes.tree import Tree

Row = list[str]
HEADINGS = ["what", "many", "two agents", "ratio", "target"]


class Ground:
    """The mailboxes of many agents, those of two, and how many rounds are to be measured."""

    def __init__(self, many: Tree, two: Tree, rounds: int) -> None:
        self.many = many
        self.two = two
        self.rounds = rounds
        self.agents = many.agents()
        self.messages = tree.count(many)

    def in_turn(self, rounds: int, measure: Callable[[Tree], float]) -> list[list[float]]:
        """Return the seconds `measure` says of the many and of the two, taken in turn."""
        return common.alternate(rounds, partial(measure, self.many), partial(measure, self.two))


def row(what: str, many: str, two: str = "", ratio: str = "", target: str = "") -> Row:
    """Return one line of the table."""
    return [what, many, two, ratio, target]


def compared(what: str, percent: int, times: Sequence[Sequence[float]], target: str = "") -> Row:
    """Return the line of a percentile of some seconds of the many and of the two."""
    many, two = (common.percentile(values, percent) for values in times)
    return row(f"{what}: p{percent}", f"{ms(many)} ms", f"{ms(two)} ms", f"{many / two:.2f}", target)


def alone(what: str, times: Sequence[float], target: str) -> list[Row]:
    """Return the lines p50 and p99 of some seconds of the many."""
    return [
        row(f"{what}: p{percent}", f"{ms(common.percentile(times, percent))} ms", target=target)
        for percent in (50, 99)
    ]


def post(where: Tree, body: str = common.BODY) -> Sent:
    """Send a message to the reader."""
    return common.send(where, body=body)[0]
