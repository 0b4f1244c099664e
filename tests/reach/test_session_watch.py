"""A watch tells its session of new mail: once, a burst together, and as long as any means may reach it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from ai_bridge.clients import CLAUDE_CODE
from ai_bridge.errors import BridgeError
from ai_bridge.inbox.fetch import fetch
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.outbox import UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.reach import session_watch as watch_
from ai_bridge.reach.activity import Activity
from ai_bridge.reach.manner import of_hook
from ai_bridge.reach.memory import HEARD
from ai_bridge.reach.pace import Pace
from ai_bridge.reach.rings import Rings
from ai_bridge.reach.session_watch import Means, Watch
from ai_bridge.reach.ways import NotReached
from ai_bridge.settings import Settings
from ai_bridge.system.locks import holder
from tests.support.mail import post, states
from tests.support.wait import until

LONG_S = 3600.0
# No ring is repeated while a test runs.
SLOW = Pace((LONG_S,), 0)


class Watched:
    """A session of an agent with its watch, in a thread; `notices` is what it was told, `failed` what ended it."""

    def __init__(self, where: Tree, settings: Settings, agent: str = "gemini") -> None:
        self.where, self.agent, self.turn = where, agent, Activity()
        self.told = Rings(where, agent, f"the session of {agent}", SLOW)
        self.notices: list[str] = []
        self.means: list[Means] = [Means("a push", self._take)]
        self.failed: BaseException | None = None
        self.hooks_s = 0.0
        self._settings, self._goes_on = settings, True
        self.look: Callable[[], list[Waiting]] = lambda: fetch(where, agent, settings)
        self._watch: Watch | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _take(self, text: str, urgent: bool = False) -> bool:
        self.notices.append(text)
        return False

    def begin(self) -> None:
        self._watch = Watch(
            self.where, self.agent, self.told, self.turn, self.means, self.hooks_s, self.look, lambda: self._goes_on
        )
        self._thread.start()

    def _run(self) -> None:
        assert self._watch is not None
        try:
            self._watch.run()
        except (BridgeError, OSError) as trouble:
            self.failed = trouble

    def end(self) -> None:
        self._goes_on = False
        if self._watch is not None:
            self._watch.interrupt()
            self._thread.join(20)
            assert not self._thread.is_alive()

    def tell_by_hook(self) -> bool:
        """Do as a hook of the session does; True where it had something to tell."""
        hook = of_hook(CLAUDE_CODE, "UserPromptSubmit", showing=False)
        claim = self.told.begin_ring(lambda: fetch(self.where, self.agent, self._settings), hook)
        if claim is not None:
            claim.finish(told=True)
        return claim is not None

    def hear_and_read(self) -> None:
        """Do as the session does: it shows life, and reads all."""
        self.told.hear()
        for one in fetch(self.where, self.agent, self._settings):
            one.acknowledge()

    @property
    def has_news(self) -> bool:
        return any(map(self.told.is_news, unread.unread_for(self.where, self.agent)))


@pytest.fixture(autouse=True)
def _only_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the sweeps so far apart that only a wake brings anything on."""
    monkeypatch.setenv("AI_BRIDGE_SWEEP_S", str(LONG_S))


@pytest.fixture
def session(where: Tree, settings: Settings) -> Iterator[Watched]:
    """A session of gemini, not watched yet."""
    made = Watched(where, settings)
    yield made
    made.end()


def refuse(text: str, urgent: bool = False) -> bool:
    raise NotReached(client="a client", why="it is not there")


def test_mail_that_comes_is_told_once_and_stays_unread(session: Watched) -> None:
    session.begin()
    post(session.where)
    until(lambda: session.notices)
    assert [*states(session.where, "claude")] == [UNREAD]
    session.hear_and_read()
    post(session.where)
    until(lambda: len(session.notices) == 2)
    assert ["1 new message for gemini" in text for text in session.notices] == [True, True]
    until(lambda: holder(session.where.lock_file("told", "gemini")) is None)
    assert holder(session.where.lock_file("reader", "gemini")) is None


def test_what_waited_before_the_watch_began_is_told(session: Watched) -> None:
    post(session.where)
    session.begin()
    until(lambda: session.notices)


def test_a_burst_rings_once_and_then_once_for_all_the_rest(session: Watched) -> None:
    senders = [f"agent{number}" for number in range(5)]
    session.where.make(senders)
    session.begin()
    for sender in senders:
        post(session.where, sender=sender)
    until(lambda: session.notices)
    (text,) = session.notices
    assert "from agent0" in text
    session.hear_and_read()
    until(lambda: not session.has_news)
    assert len(session.notices) <= 2


def test_mail_that_comes_while_a_ring_is_unanswered_rings_after_the_read(session: Watched) -> None:
    session.begin()
    post(session.where)
    until(lambda: session.notices)
    post(session.where)
    fetch(session.where, session.agent, session._settings)
    assert not session.has_news
    first = unread.unread_for(session.where, session.agent)[0]
    session.told.hear()
    assert first.acknowledge()
    post(session.where)
    until(lambda: len(session.notices) == 2)
    assert "2 new messages" in session.notices[1]


def test_a_ring_that_nobody_heard_is_repeated_by_the_next_means(session: Watched) -> None:
    rung: list[str] = []
    session.means[:] = [Means(by, partial(_noted, rung, by)) for by in ("first", "second")]
    session.told.pace = Pace((0.02, 0.02, 0.02), 0)
    session.begin()
    post(session.where)
    until(lambda: [(one.times, one.by) for one in session.told.memory().entries.values()] == [(4, "second")])
    assert rung == ["first", "second", "first", "second"]
    assert not session.has_news


def test_a_ring_that_was_heard_is_not_repeated(session: Watched) -> None:
    session.told.pace = Pace((0.2,), 0)
    session.means[:] = [Means("a push", lambda text, urgent: bool(session.notices.append(text)) or True)]
    session.begin()
    post(session.where)
    until(lambda: [one.how for one in session.told.memory().entries.values()] == [HEARD])
    assert session.told.next_s(unread.unread_for(session.where, session.agent)) == math.inf


def test_a_turn_per_hour_is_not_exceeded(session: Watched) -> None:
    session.told.pace = Pace((LONG_S,), 1)
    session.begin()
    post(session.where)
    until(lambda: session.told.memory().wakes_ns)
    session.hear_and_read()
    post(session.where)
    fetch(session.where, session.agent, session._settings)
    assert not session.has_news
    assert LONG_S - 100 < session.told.next_s(unread.unread_for(session.where, session.agent)) <= LONG_S


def _noted(rung: list[str], by: str, text: str, urgent: bool) -> bool:
    rung.append(by)
    return False


def test_what_is_read_before_it_is_told_is_not_told(session: Watched) -> None:
    looks: list[int] = []
    inner = unread.unread_for

    def look() -> list[Waiting]:
        found = inner(session.where, "gemini")
        looks.append(len(found))
        if len(looks) == 1:
            for one in found:
                one.acknowledge()
        return found

    session.look = look
    session.begin()
    post(session.where)
    until(lambda: looks)
    assert not session.notices
    post(session.where)
    until(lambda: session.notices)
    assert "1 new message" in session.notices[0]


def test_with_reach_off_nothing_is_told_until_it_is_on_again(session: Watched) -> None:
    file = Path(session.where.path, "settings.toml")
    file.write_text('reach = "off"\n')
    session.begin()
    post(session.where)
    until(lambda: session.has_news)
    watch = session._watch
    assert watch is not None
    assert [watch._is_news(one) for one in unread.unread_for(session.where, "gemini")] == [False]
    file.write_text('reach = "notice"\n')
    post(session.where)
    until(lambda: session.notices)


# --- where nothing reaches it -----------------------------------------------------------------------------


def test_the_next_means_is_tried_where_the_best_reaches_nobody(session: Watched) -> None:
    session.means[:0] = [Means("another", refuse)]
    session.begin()
    post(session.where)
    until(lambda: session.notices)


def test_what_reached_nobody_is_told_by_the_next_hook(session: Watched) -> None:
    tried = threading.Event()

    def fail(text: str, urgent: bool) -> bool:
        tried.set()
        return refuse(text)

    session.means[:] = [Means("a push", fail)]
    session.begin()
    post(session.where)
    assert tried.wait(20)
    until(session.tell_by_hook)
    assert not session.tell_by_hook()
    assert [*states(session.where, "claude")] == [UNREAD]


def test_what_reached_nobody_is_tried_again_after_a_pause(session: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_, "_FIRST_PAUSE_S", 0.01)
    texts: list[str] = []

    def fail_twice(text: str, urgent: bool) -> bool:
        texts.append(text)
        return len(texts) < 3 and refuse(text)

    session.means[:] = [Means("a push", fail_twice)]
    session.begin()
    post(session.where)
    until(lambda: len(texts) == 3 and not session.has_news)
    assert len(set(texts)) == 3, "the same text twice would be dropped"


# --- a session at work ------------------------------------------------------------------------------------


def test_a_session_at_work_is_left_to_its_hooks(session: Watched) -> None:
    session.hooks_s = LONG_S
    session.turn.record("PostToolUse")
    session.begin()
    post(session.where)
    until(lambda: session.has_news and session.tell_by_hook())
    session.hear_and_read()
    session.turn.record("Stop")
    post(session.where)
    until(lambda: session.notices)
    assert len(session.notices) == 1
    assert "1 new message" in session.notices[0], "what the hook told of is not told again"


def test_where_no_hook_tells_a_session_at_work_it_is_told_in_the_end(session: Watched) -> None:
    session.hooks_s = 0.3
    session.turn.record("PostToolUse")
    session.begin()
    post(session.where)
    until(lambda: session.notices)


def test_the_end_of_a_turn_brings_on_what_was_left_to_hooks(session: Watched) -> None:
    session.hooks_s = LONG_S
    session.turn.record("UserPromptSubmit")
    session.begin()
    post(session.where)
    until(lambda: session.has_news)
    session.turn.record("Stop")
    until(lambda: session.notices)


# --- its end ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["idle", "at work", "refused"])
def test_it_ends_at_once_whatever_it_waits_for(session: Watched, state: str) -> None:
    before = threading.active_count()
    session.hooks_s = LONG_S
    tried = threading.Event()

    def fail(text: str, urgent: bool) -> bool:
        tried.set()
        return refuse(text)

    session.means[:] = [Means("a push", fail)]
    if state == "at work":
        session.turn.record("PostToolUse")
    session.begin()
    if state != "idle":
        post(session.where)
        until(lambda: session.has_news)
    if state == "refused":
        assert tried.wait(20)
    session.end()
    assert session.failed is None
    until(lambda: threading.active_count() <= before)


def test_where_the_mailboxes_are_gone_it_says_so(session: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AI_BRIDGE_SWEEP_S", "0.05"
    )  # no event tells of a directory that is renamed while it is watched
    session.begin()
    post(session.where)
    until(lambda: session.notices)
    Path(session.where.path).rename(f"{session.where.path}-elsewhere")
    until(lambda: session.failed)


def test_many_sessions_at_once_are_all_told(where: Tree, settings: Settings) -> None:
    agents = [f"agent{number}" for number in range(20)]
    where.make(agents)
    sessions = [Watched(where, settings, agent) for agent in agents]
    for one in sessions:
        one.begin()
    for agent in agents:
        post(where, to=agent)
    try:
        until(lambda: all(one.notices for one in sessions), 40)
        assert {len(one.notices) for one in sessions} == {1}
    finally:
        for one in sessions:
            one.end()
