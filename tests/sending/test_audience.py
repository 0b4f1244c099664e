"""audience: what a sender hears at once of whom its message reaches."""

from __future__ import annotations

import sys

import pytest

from ai_bridge.mailboxes.compose import Sent
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.sending import audience
from ai_bridge.sending.send import Wanted, send
from tests.agents.sessions.test_ended import ends
from tests.support.presence import session


@pytest.fixture
def many(where: Tree) -> Tree:
    where.make(["codex", "mini"])
    return where


def _sent(where: Tree, to: list[str], urgency: str | None = None) -> Sent:
    return send(Snapshot(where.path), "claude", [Wanted(to, "x", urgency=urgency)])[0]


@pytest.mark.parametrize(
    ("to", "rings"), [(["*"], 2), (["codex", "gemini"], 1), (["codex,mini"], 1), (["gemini"], None), (["mini"], None)]
)
def test_a_broadcast_rings_the_live_sessions_among_its_recipients(
    many: Tree, to: list[str], rings: int | None
) -> None:
    with session(many, "claude"), session(many, "gemini"), session(many, "mini"):
        assert _sent(many, to).rings == rings


@pytest.mark.parametrize(("urgency", "rings"), [(None, 1), ("next", 1), ("now", 1), ("quiet", 0)])
def test_a_quiet_broadcast_rings_nobody(many: Tree, urgency: str | None, rings: int) -> None:
    with session(many, "gemini"):
        assert _sent(many, ["*"], urgency).rings == rings


def test_everybody_is_a_broadcast_even_if_that_is_one(where: Tree) -> None:
    assert _sent(where, ["*"]).rings == 0
    assert not audience.is_broadcast(["gemini"], ["gemini"])
    assert audience.is_broadcast(["#backend"], ["gemini"])
    assert audience.is_broadcast([], ["gemini", "codex"])  # an answer to all


def test_the_number_is_said_of_a_broadcast_alone(many: Tree) -> None:
    with session(many, "gemini"):
        assert audience.sessions(_sent(many, ["*"])) == "It rings 1 session."
        assert audience.sessions(_sent(many, ["gemini"])) == ""
    sent = [_sent(many, ["*"]), _sent(many, ["codex"]), _sent(many, ["*"])]
    assert audience.notes(many, sent, is_watched=True) == ""
    assert audience.counts(sent) == "Sent to 3 agents. It rings 0 sessions.\n"


def test_of_many_that_were_away_three_are_named(many: Tree) -> None:
    where = many
    where.make(["other"])
    for agent in ("codex", "gemini", "mini", "other"):
        with session(where, agent):
            pass
        ends(where, agent, ago_s=2 * 86_400.0)
    said = audience.absent(where, _sent(where, ["*"]))
    assert said == [f"{agent} was last seen 2 d ago." for agent in ("codex", "gemini", "mini")]


def test_a_message_that_was_sent_stays_sent_if_the_disk_does_not_say_who_is_there(
    many: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> set[str]:
        raise PermissionError(13, "no")

    monkeypatch.setattr("ai_bridge.agents.presence.online", refuse)
    monkeypatch.setattr("ai_bridge.agents.sessions.away.note", refuse)
    sent = _sent(many, ["*"])
    assert (sent.rings, audience.sessions(sent), audience.counts([sent])) == (None, "", "")
    assert audience.absent(many, Sent("x", ["claude-2"], [])) == []


class _Calls:
    """Notes the calls of the operating system with a path while it is entered."""

    _NAMES = ("open", "stat", "lstat", "listdir", "scandir", "mkdir", "link", "unlink", "rename", "replace", "utime")

    def __enter__(self) -> list[str]:
        self.found: list[str] = []
        sys.setprofile(self._note)
        return self.found

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: object, event: str, argument: object) -> None:
        name = getattr(argument, "__name__", "")
        if (
            event == "c_call"
            and getattr(argument, "__module__", "") in ("posix", "_io", "io")
            and name in self._NAMES
        ):
            self.found.append(name)


def test_one_recipient_that_had_a_session_today_costs_one_look(where: Tree) -> None:
    sent = _sent(where, ["gemini"])
    with session(where, "gemini"):
        pass
    for _ in range(2):
        seen = Snapshot(where.path)
        seen.state_directory()
        seen.entries()
        with _Calls() as calls:
            assert audience.absent(seen, sent) == []
    assert calls == ["stat"]
