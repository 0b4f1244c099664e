"""`init` in a project brings the project's mail from the user's own mailboxes: all of it, once, and nobody else's."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from ai_bridge import settings as settings_
from ai_bridge.inbox import takeover
from ai_bridge.inbox.fetch import fetch
from ai_bridge.inbox.nobodys import open_inboxes
from ai_bridge.mailboxes import find
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from ai_bridge.system import durable
from tests.support.command import command
from tests.support.disk import FaultyOs
from tests.support.mail import post, states
from tests.support.presence import session

AGENTS = ("claude@shop", "codex@shop", "claude@web", "me", "codex@shop-2")


@pytest.fixture
def own() -> Tree:
    """The user's own mailboxes, with agents of several projects."""
    made = Tree(find.user_wide())
    made.make(list(AGENTS))
    return made


@pytest.fixture
def settings(own: Tree) -> Settings:
    """The default settings, without any other mailboxes."""
    return settings_.load(own.path, {"settle_s": 0.0})


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the project shop, in which this process works."""
    made = tmp_path / "shop"
    made.mkdir()
    monkeypatch.chdir(made)
    return made


def _bodies(where: Tree, agent: str, settings: Settings) -> list[tuple[str, str]]:
    return [(one.sender, one.load().body) for one in fetch(where, agent, settings)]


def _here(shop: Path) -> Tree:
    made = Tree(str(shop / "mailboxes"))
    made.make(["claude", "codex"])
    return made


def test_init_brings_what_waits_for_the_project_here(own: Tree, shop: Path, settings: Settings) -> None:
    post(own, "one", to="claude@shop", sender="codex@shop")
    fetch(own, "claude@shop", settings)
    id_ = post(own, "two", to="claude@shop", sender="me")
    post(own, "others", to="claude@web", sender="codex@shop")
    done = command("init", "claude", "codex", "--take-over")
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("2 messages brought here\n")
    here = Tree(str(shop / "mailboxes"))
    assert here.agents() == ["claude", "codex", "me"]
    assert _bodies(here, "claude", settings) == [("codex", "one"), ("me", "two")]
    assert fetch(here, "claude", settings)[1].id == id_
    assert _bodies(own, "claude@shop", settings) == []
    assert _bodies(own, "claude@web", settings) == [("codex@shop", "others")]
    again = command("init", "--take-over")
    assert (again.returncode, again.stderr) == (0, "")


def test_without_a_terminal_init_says_what_waits_and_moves_nothing(own: Tree, shop: Path, settings: Settings) -> None:
    post(own, "one", to="claude@shop", sender="codex@shop")
    done = command("init", "claude")
    said = "1 message of this project waits in your own mailboxes (claude@shop 1): `ai-bridge init --take-over`"
    assert said in done.stderr
    assert _bodies(own, "claude@shop", settings) == [("codex@shop", "one")]


@pytest.mark.parametrize(("answer", "taken"), [(b"\n", 1), (b"y\n", 1), (b"n\n", 0)])
def test_at_a_terminal_init_asks(own: Tree, shop: Path, settings: Settings, answer: bytes, taken: int) -> None:
    post(own, "one", to="claude@shop", sender="codex@shop")
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    words = [sys.executable, "-m", "ai_bridge", "init", "claude", "codex"]
    done = subprocess.run(words, stdin=theirs, capture_output=True, timeout=60, check=True)
    os.close(theirs)
    os.close(ours)
    assert b"(claude@shop 1). Bring them here? [Y/n]" in done.stderr
    assert len(fetch(_here(shop), "claude", settings)) == taken
    assert len(fetch(own, "claude@shop", settings)) == 1 - taken


def test_mail_that_could_not_be_answered_here_stays_and_is_named(own: Tree, shop: Path, settings: Settings) -> None:
    post(own, "from afar", to="claude@shop", sender="claude@web")
    found = takeover.waiting(_here(shop))
    assert found.messages == {}
    (said,) = found.staying()
    assert said.startswith("1 message for claude@shop from claude@web stays in your own mailboxes: `ai-bridge read ")
    assert found.take() == 0
    assert _bodies(own, "claude@shop", settings) == [("claude@web", "from afar")]


def test_another_folder_of_the_same_name_has_its_own_mail(
    own: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    for team, agent in (("one", "claude@shop"), ("two", "codex@shop-2")):
        (tmp_path / team / "shop").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / team / "shop")
        post(own, team, to=agent, sender="me")
        assert command("init", "claude", "codex", "--take-over").returncode == 0
        here = Tree(str(tmp_path / team / "shop" / "mailboxes"))
        assert _bodies(here, agent.partition("@")[0], settings) == [("me", team)]


@pytest.mark.usefixtures("own")
def test_mailboxes_outside_the_project_take_nothing_over(tmp_path: Path, shop: Path) -> None:
    post(Tree(find.user_wide()), "one", to="claude@shop", sender="me")
    elsewhere = Tree(str(tmp_path / "elsewhere"))
    elsewhere.make(["claude"])
    assert takeover.waiting(elsewhere).messages == {}
    assert takeover.waiting(Tree(find.user_wide())).messages == {}


def test_attachments_come_along(own: Tree, shop: Path, settings: Settings) -> None:
    (shop / "big.txt").write_text("x" * 40_000)
    words = ("--mailboxes", own.path, "--from", "codex@shop", "--context", "big.txt")
    assert command("send", "claude@shop", *words, body="look").returncode == 0
    assert command("init", "claude", "codex", "--take-over").returncode == 0
    here = Tree(str(shop / "mailboxes"))
    (one,) = fetch(here, "claude", settings)
    assert os.listdir(here.outbox("codex").attached) == os.listdir(own.outbox("codex@shop").attached) != []
    assert "Context" in one.load().headers or one.load().body != "look"


def test_mail_for_a_further_session_is_still_offered_to_the_agents_others(
    own: Tree, shop: Path, settings: Settings
) -> None:
    with session(own, "claude@shop"), session(own, "claude@shop") as second:
        own.make([second])
    post(own, "one", to="claude-2@shop", sender="codex@shop")
    here = _here(shop)
    assert takeover.waiting(here).take() == 1
    with open_inboxes(Snapshot(here.path), "claude", settings) as inboxes:
        assert [(one.recipient, one.load().body) for one in inboxes.waiting] == [("claude-2", "one")]


def test_a_message_that_somebody_altered_stays(own: Tree, shop: Path, settings: Settings) -> None:
    post(own, "one", to="claude@shop", sender="me")
    (one,) = fetch(own, "claude@shop", settings)
    Path(one.path).write_text("no message")
    found = takeover.waiting(_here(shop))
    assert found.take() == 0
    assert os.path.exists(one.path)


class _Death(BaseException):
    """The process ends here."""


def _die() -> None:
    raise _Death


@pytest.mark.parametrize("after", [False, True])
def test_a_death_at_any_call_loses_nothing_and_repeats_nothing(
    own: Tree, shop: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    here, call = _here(shop), 0
    has_died = True
    while has_died:
        call += 1
        post(own, str(call), to="claude@shop", sender="codex@shop")
        found = takeover.waiting(here)
        faulty = FaultyOs(at=call, after=after, act=_die)
        with monkeypatch.context() as patched:
            patched.setattr(durable, "os", faulty)
            try:
                found.take()
                has_died = False
            except _Death:
                has_died = True
        takeover.waiting(here).take()
        assert [body for _, body in _bodies(here, "claude", settings)] == [str(number + 1) for number in range(call)]
        assert _bodies(own, "claude@shop", settings) == []
    assert call > 5
    assert "malformed" not in states(here, "codex")


def test_a_session_that_goes_on_with_the_old_mailboxes_is_named(own: Tree, shop: Path) -> None:
    with session(own, "claude@shop"), session(own, "claude@web"):
        said = takeover.waiting(_here(shop)).staying()
    assert said == ["claude@shop has a session that goes on with your own mailboxes: restart it"]
