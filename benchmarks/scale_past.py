"""Rows of `scale` about past mail: the index made from nothing, history, search, and a new message being found."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from itertools import count, cycle

import common
import tree
from ground import Ground, Row, alone, post, row

from ai_bridge import index
from ai_bridge.index import Query

_MANY, _FEW = 200, 20
_TARGET, _NEW_TARGET = "50 ms", "1 s"
_numbers = count()


def index_from_nothing(ground: Ground) -> list[Row]:
    """Measure the first question, answered from an index that is not there yet."""
    taken = common.seconds(partial(_ask_until_complete, ground))
    return [row("index, from nothing", f"{ground.messages / taken:.0f}/s, {taken:.0f} s")]


def _ask_until_complete(ground: Ground) -> None:
    while not index.find(ground.many, Query(limit=1)).complete:
        pass


def history(ground: Ground) -> list[Row]:
    agents = cycle(ground.agents)
    return _answers("history of 20", ground, lambda: Query(agent=next(agents), limit=20))


def search(ground: Ground) -> list[Row]:
    agents = cycle(ground.agents)
    return [
        *_answers("search, a rare word", ground, lambda: Query(words=tree.RARE)),
        *_answers("search, a word of every message", ground, lambda: Query(words=tree.COMMON)),
        *_answers("search, the same, one agent", ground, lambda: Query(agent=next(agents), words=tree.COMMON)),
    ]


def _answers(what: str, ground: Ground, query: Callable[[], Query]) -> list[Row]:
    def ask() -> float:
        asked = query()
        return common.seconds(partial(_ask, ground, asked))

    return alone(what, common.alternate(_MANY, ask)[0], _TARGET)


def _ask(ground: Ground, query: Query) -> None:
    if not index.find(ground.many, query).places:
        raise SystemExit(f"error: nothing was found for {query.words or query.agent}")


def new_message(ground: Ground) -> list[Row]:
    """Measure from the call of `send` to the first answer that shows the message."""
    times = common.alternate(_FEW, lambda: common.seconds(partial(_until_found, ground)))[0]
    return alone("a new message can be found", times, _NEW_TARGET)


def _until_found(ground: Ground) -> None:
    word = f"fresh{os.getpid()}x{next(_numbers)}"
    post(ground.many, word)
    while not index.find(ground.many, Query(words=word)).places:
        pass
