"""The rings of one session, so that no means and no process announces a message to it twice, and none is lost.

A process notes a ring before it rings. If it dies in between, nobody hears the ring, and it is repeated.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable

from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.message.urgency import NOW
from ai_bridge.reach.due import NEVER_NS, Due, came_ns, name_of, seen
from ai_bridge.reach.manner import A_HOOK, PUSH, Manner
from ai_bridge.reach.memory import HEARD, LOST, NS, RUNG, Entry, Memory
from ai_bridge.reach.memory_file import MemoryFile
from ai_bridge.reach.pace import Pace
from ai_bridge.reach.ways import MARK

# A ring that is due is not looked for more often than this.
_LEAST_S = 0.02


class Ring:
    """The right to announce the messages `news` to a session: they are noted as rung, and `finish` says how it went.

    `at_ns` is when the ring began, and `times` how often these messages have been rung with it. `by` is its means;
    the caller may name it more exactly.
    """

    def __init__(self, rings: Rings, news: list[Waiting], manner: Manner, before: Memory, at_ns: int) -> None:
        self.news = news
        self.at_ns = at_ns
        self.by = manner.by
        self.times = (
            max((one.times for name in map(name_of, news) if (one := before.entries.get(name))), default=0) + 1
        )
        self._rings = rings
        self._manner = manner
        self._before = before
        self._is_finished = False

    def finish(self, told: bool, heard: bool = False) -> None:
        """Note whether the session was told of the messages, and whether the client says that it heard.

        If it was told of nothing, the messages are new again. Takes the lock of the memory; a second call does
        nothing.
        """
        if self._is_finished:
            return
        self._is_finished = True
        self._rings.change(lambda memory: self._noted(memory, told, heard))

    def _noted(self, memory: Memory, told: bool, heard: bool) -> Memory:
        how = HEARD if heard and self._manner.how == RUNG else self._manner.how
        for name in map(name_of, self.news):
            noted = memory.entries.get(name)
            if noted is None or noted.rung_ns != self.at_ns or noted.how not in (RUNG, HEARD):
                continue  # another ring followed, or the session was shown it meanwhile
            after = noted.become(how if noted.how == RUNG else noted.how, self.by)
            memory = memory.changed(name, after if told else self._before.entries.get(name))
        return memory.woken(self.at_ns) if told and self._manner.wakes else memory


class Rings:
    """The rings of one session of `agent`; `key` identifies the session, and `pace` says how often to ring.

    `passing`: this process ends once it has announced the mail. If the disk refuses its notes, such a process
    announces nothing, because each process after it would announce the same mail again.
    """

    def __init__(self, mailboxes: Tree, agent: str, key: str, pace: Pace, passing: bool = False) -> None:
        self.pace = pace
        self._mailboxes = mailboxes
        self._of = (agent, key)
        self._passing = passing
        self._file = MemoryFile(mailboxes, agent, key)
        self._urgencies: dict[str, str] = {}

    def is_of(self, agent: str, key: str) -> bool:
        """Tell whether these are the rings of the session `key` of `agent`."""
        return self._of == (agent, key)

    def memory(self) -> Memory:
        """Return the session's memory, as it is now; the caller must not change it."""
        return self._file.load()

    # --- ringing ----------------------------------------------------------------------------------------

    def begin_ring(
        self,
        look: Callable[[], list[Waiting]],
        manner: Manner = PUSH,
        is_meant: Callable[[Waiting], bool] = lambda one: True,
    ) -> Ring | None:
        """Note a ring for the mail that may be announced now in this manner, and return it; None if there is none.

        `look` returns all unread messages; only those for which `is_meant` is true count. The caller announces the
        `news` of the ring, and then calls its `finish`. Takes the lock of the memory for a moment.
        """
        unread = look()
        if not self._news(unread, manner, is_meant):
            return None
        with self._file.changing() as is_locked:
            there = [one for one in unread if os.path.lexists(one.path)]  # another process may have read some
            news = self._news(there, manner, is_meant) if is_locked else []
            return self._noted(news, there, manner) if news else None

    def is_urgent(self, news: list[Waiting]) -> bool:
        """Tell whether one of the messages may come between two tool calls."""
        return any(self._due().urgency(one) == NOW for one in news)

    def _noted(self, news: list[Waiting], unread: list[Waiting], manner: Manner) -> Ring | None:
        """Note a ring for `news`; None if the disk refuses it and this process is passing."""
        before, at_ns = self.memory(), time.time_ns()
        memory = before.read(before.entries.keys() - set(map(name_of, unread)))
        for one in news:
            entry = before.entries.get(name_of(one)) or Entry(0, LOST)
            memory = memory.changed(name_of(one), entry.rung(at_ns, manner.by, came_ns(one)))
        if not self._file.store(memory) and self._passing:
            self._file.forget()
            return None
        return Ring(self, news, manner, before, at_ns)

    def _news(self, unread: list[Waiting], manner: Manner, is_meant: Callable[[Waiting], bool]) -> list[Waiting]:
        due = self._due() if unread else None
        return [one for one in unread if due and is_meant(one) and due.is_now(one, manner)]

    def _due(self) -> Due:
        return Due(self._mailboxes, self.memory(), self.pace, self._urgencies)

    def is_news(self, one: Waiting, manner: Manner = PUSH) -> bool:
        """Tell whether the message may be announced now."""
        return self._due().is_now(one, manner)

    def next_s(self, unread: list[Waiting], manner: Manner = PUSH) -> float:
        """Return in how many seconds one of these messages may be announced; math.inf if never."""
        due = self._due()
        free_ns = min((due.free_ns(one, manner) for one in unread), default=NEVER_NS)
        return math.inf if free_ns >= NEVER_NS else max(free_ns - due.now_ns, 0) / NS

    def look_again_s(self, look: Callable[[], list[Waiting]], manner: Manner = PUSH) -> float:
        """Return after how many seconds to look again although nothing comes; math.inf if no ring is due.

        `look` returns all unread messages; it is called only if the session was rung before.
        """
        return max(self.next_s(look(), manner), _LEAST_S) if self.memory().entries else math.inf

    # --- what the session shows -------------------------------------------------------------------------

    def hear(self) -> None:
        """Note that the session called a tool of ours, so it heard of what it was rung for a moment ago.

        Takes the lock of the memory if there is a ring that it has not heard.
        """
        self._hear(lambda memory, one, now_ns: HEARD if now_ns < self.pace.unheard_ns(one, now_ns) else RUNG)

    def hear_prompt(self, prompt: str) -> None:
        """Note that a turn begins with the text `prompt`: if it is not our notice, a push did not arrive.

        Takes the lock of the memory if there is a ring that the session has not heard.
        """
        self._hear(lambda memory, one, now_ns: HEARD if MARK in prompt else self._other(one, now_ns))

    def _other(self, one: Entry, now_ns: int) -> str:
        """Return what another prompt shows of a ring: nothing if a hook rang, or if it may still be to come.

        If an earlier ring of the message was not heard either, nothing is to come.
        """
        is_late = one.times > 1 or now_ns >= one.rung_ns + self.pace.receipt_s * NS
        return LOST if is_late and one.by != A_HOOK else RUNG

    def hear_hook(self) -> None:
        """Note that a hook of a turn ran: the second one after a ring shows that the session heard it.

        The first one may run before the request that brings the ring. Takes the lock of the memory if there is a ring
        that the session has not heard.
        """
        self._hear(lambda memory, one, now_ns: HEARD if memory.hook_ns > one.rung_ns else RUNG, is_hook=True)

    def _hear(self, how: Callable[[Memory, Entry, int], str], is_hook: bool = False) -> None:
        if self.is_awaited():
            self.change(lambda memory: _heard(memory, how, is_hook))

    def is_awaited(self) -> bool:
        """Tell whether there is a ring of which the session has not shown that it heard it."""
        return any(one.how == RUNG for one in self.memory().entries.values())

    def begin_session(self, process: str = "") -> None:
        """Forget all entries if the session begins again, and so remembers nothing.

        With `process`, the key of the client's process, it does only if it ran in another process before.
        """
        if process and self.memory().process == process:
            return
        self.change(lambda memory: memory.begun(process))

    def add(self, shown: list[Waiting]) -> None:
        """Note that the session was shown the messages `shown`, too."""
        if shown:
            self.change(lambda memory: memory.copy({name_of(one): seen(memory, one) for one in shown}))

    def change(self, make: Callable[[Memory], Memory]) -> None:
        """Store what `make` returns for a copy of the memory, which it may change; takes the lock of the memory."""
        with self._file.changing():
            self._file.store(make(self.memory().copy()))


def _heard(memory: Memory, how: Callable[[Memory, Entry, int], str], is_hook: bool) -> Memory:
    """Return the memory after a sign of life: `how` says what it shows of each ring that was not heard."""
    now_ns = time.time_ns()
    rung = [(name, one) for name, one in memory.entries.items() if one.how == RUNG]
    for name, one in rung:
        memory = memory.changed(name, one.become(how(memory, one, now_ns)))
    if is_hook:
        memory.hook_ns = now_ns
    return memory
