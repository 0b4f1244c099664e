"""Any order of sends, passes, crashes, recoveries, reads and restores: each message is in exactly one state."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter

from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from ai_bridge import settings as settings_
from ai_bridge.archive.restore import put_back
from ai_bridge.mailboxes import trace, unread
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, PROCESSING, STATES, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.recover import recover
from ai_bridge.router.route import Router
from ai_bridge.system import durable, libc
from tests.support.disk import FaultyOs
from tests.support.mail import LIMIT, send

AGENTS = ["claude", "codex", "gemini"]
agents = st.sampled_from(AGENTS)


class Crash(BaseException):
    """The process died here: what would tidy up is skipped by every `except Exception`."""


def _crash() -> None:
    raise Crash


class Mail(RuleBasedStateMachine):
    """The promise under test: never lost, never twice, in exactly one state at every instant."""

    accepted = Bundle("accepted")

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.mkdtemp(prefix="ai-bridge-machine-")
        os.environ["AI_BRIDGE_STATE"] = os.path.join(self.home, "state")
        self.where = Tree(os.path.join(self.home, "mailboxes"))
        self.where.make(AGENTS)
        self.settings = settings_.load(self.where.path, {"settle_s": 0.0})
        self.expected: Counter[tuple[str, str]] = Counter()

    def teardown(self) -> None:
        shutil.rmtree(self.home)

    @rule(
        target=accepted,
        sender=agents,
        to=st.lists(agents, min_size=1, max_size=3, unique=True),
        body=st.text("ab\n", max_size=5),
    )
    def send(self, sender: str, to: list[str], body: str) -> object:
        sent = send(self.where, sender, Draft(to, body, allow_empty=True), LIMIT)
        for recipient in sent.recipients:
            self.expected[sent.id, recipient] += 1
        return multiple(*((sent.id, recipient) for recipient in sent.recipients))

    @rule(serves=st.sets(agents, min_size=1))
    def make_a_pass(self, serves: set[str]) -> None:
        list(Router(self.where, serves, self.settings).one_pass())

    @rule(serves=st.sets(agents, min_size=1), call=st.integers(1, 12), after=st.booleans())
    def crash_in_a_pass(self, serves: set[str], call: int, after: bool) -> None:
        libc.functions.update(renameat2=None, syncfs=None)
        durable.os = FaultyOs(at=call, after=after, act=_crash)  # type: ignore[assignment]
        try:
            list(Router(self.where, serves, self.settings).one_pass())
        except Crash:
            pass
        finally:
            durable.os = os
            libc.functions.clear()

    @rule()
    def recover_all(self) -> None:
        list(recover(Router(self.where, set(AGENTS), self.settings)))

    @rule(agent=agents, count=st.integers(0, 3))
    def read(self, agent: str, count: int) -> None:
        for one in unread.unread_for(self.where, agent)[:count]:
            assert one.load().id == one.id
            assert one.acknowledge()

    @rule(message=consumes(accepted))
    def restore(self, message: tuple[str, str]) -> None:
        if any(place.state in ("read", MALFORMED) for place in trace.find(self.where, message[0])):
            put_back(self.where, message[0])

    @invariant()
    def each_message_is_in_exactly_one_state(self) -> None:
        found: Counter[tuple[str, str]] = Counter()
        links: set[int] = set()
        for outbox in self.where.outboxes():
            for state in STATES:
                for name in outbox.names(state):
                    inode = os.lstat(outbox.file(state, name)).st_ino
                    found[label(name)] += inode not in links
                    links.add(inode)
        assert +found == self.expected

    def drain(self) -> None:
        for _ in range(2):
            self.recover_all()
            self.make_a_pass(set(AGENTS))
        left = [name for box in self.where.outboxes() for state in (DROPPED, PROCESSING) for name in box.names(state)]
        assert not left
        delivered = [name for box in self.where.outboxes() for name in box.names(UNREAD)]
        assert len(delivered) == len(set(delivered))


TestMail = Mail.TestCase
TestMail.settings = profile(max_examples=60, stateful_step_count=30, deadline=None)
