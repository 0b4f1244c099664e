"""Rows of `scale` about look-ups: the list of agents, building the index, history, threads, search, a new message."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from itertools import count, cycle

import common
import tree
from ground import Ground, Row, alone, post, row

from ai_bridge.agents import cards
from ai_bridge.agents.identity import Identity
from ai_bridge.agents.peers import all_peers
from ai_bridge.agents.session_names import take
from ai_bridge.history import conversations
from ai_bridge.history import search as index
from ai_bridge.history.query import Query
from ai_bridge.system import times

_MANY, _FEW = 200, 20
_TARGET, _NEW_TARGET = "50 ms", "1 s"
_numbers = count()


def list_of_agents(ground: Ground) -> list[Row]:
    """Measure what `peer_list` is made of, each agent having a card, and one in twenty a session."""
    for agent in ground.agents:
        cards.introduce(ground.many, agent, "claude-code", "shop")
    held = [take(ground.many, Identity(agent, ""), "claude-code") for agent in ground.agents[::20]]
    taken = common.alternate(_MANY, lambda: common.seconds(partial(all_peers, ground.many)))[0]
    for name in held:
        name.release()
    return alone("list of all agents", taken, _TARGET)


def index_from_nothing(ground: Ground) -> list[Row]:
    """Measure the first question, answered from an index that is not there yet."""
    taken = common.seconds(partial(_ask_until_complete, ground))
    return [row("index, from nothing", f"{ground.messages / taken:.0f}/s, {taken:.0f} s", target="20,000/s")]


def _ask_until_complete(ground: Ground) -> None:
    while not index.find(ground.many, Query(limit=1)).complete:
        pass


def history(ground: Ground) -> list[Row]:
    agents, month = cycle(ground.agents), times.stamp_before(30 * 86_400)
    return [
        *_answers("history of 20", ground, lambda: Query(agent=next(agents), limit=20)),
        *_answers("history of 20, all agents", ground, lambda: Query(limit=20)),
        *_answers("history of 20, all agents, since 30 days", ground, lambda: Query(limit=20, since=month)),
    ]


def threads(ground: Ground) -> list[Row]:
    """Measure the list of the 20 newest conversations, with the first and the last message of each read."""
    taken = common.alternate(_MANY, lambda: common.seconds(partial(_twenty_threads, ground)))[0]
    return alone("threads, the 20 newest", taken, _TARGET)


def _twenty_threads(ground: Ground) -> None:
    if len(conversations.newest(ground.many, limit=20)) != 20:
        raise SystemExit("error: there are fewer than 20 conversations")


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
    taken = common.alternate(_FEW, lambda: common.seconds(partial(_until_found, ground)))[0]
    return alone("a new message can be found", taken, _NEW_TARGET)


def _until_found(ground: Ground) -> None:
    word = f"fresh{os.getpid()}x{next(_numbers)}"
    post(ground.many, word)
    while not index.find(ground.many, Query(words=word)).places:
        pass
