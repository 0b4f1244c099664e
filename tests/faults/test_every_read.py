"""Any look at the disk may fail once, with any error: valid mail then waits, and arrives where it always does."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ai_bridge.agents import cards
from ai_bridge.errors import BridgeError
from ai_bridge.inbox import fetch
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.outbox import MALFORMED, STATES
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.daemon import Daemon
from ai_bridge.sending import limits
from ai_bridge.settings import Settings
from ai_bridge.system.locks import Lock
from tests.support.disk import FaultyReads
from tests.support.mail import LIMIT, send

pytestmark = pytest.mark.sweeps

EVERYONE = ["claude", "claude@web", "codex", "gemini", "mini@web"]
ERRNOS = (errno.EIO, errno.ENOSPC, errno.EACCES, errno.ESTALE, errno.EMFILE)
# By the ID: its sender, and what is in `To`.
DROPPED = {
    "m-all": ("claude", "*"),
    "m-held": ("codex", "gemini"),
    "m-nobody": ("claude", "nobody"),
    "m-one": ("claude", "gemini"),
    "m-other": ("claude", "mini@web"),
    "m-short": ("claude@web", "mini"),
    "m-two": ("claude", "codex, gemini"),
}
Act = Callable[[Tree, Settings], object]
Places = dict[tuple[str, str], str]


def _pass(where: Tree, settings: Settings) -> None:
    Daemon(where, settings).run_once()


def _read(where: Tree, settings: Settings) -> None:
    for agent in ("gemini", "codex"):
        for one in fetch.fetch(where, agent, settings):
            one.load()
            one.acknowledge()


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of mailboxes with mail of every kind in it, to be copied, and the state of their machine."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)  # no power is cut here
    where = Tree(str(tmp_path / "model" / "mailboxes"))
    monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / "model" / "state"))
    where.make(EVERYONE)
    for agent in EVERYONE:
        cards.introduce(where, agent)
    cards.change(where, "gemini", {"hold": "codex"})
    cards.change(where, "codex", {"description": "a: b, to be parsed", "refuse": "postmaster@none"})
    for id_, (sender, to) in DROPPED.items():
        text = f"ID: {id_}\nFrom: {sender}\nTo: {to}\nSubject: s\n\nbody of {id_}"
        Path(where.outbox(sender).path, f"{id_}.txt").write_text(text)
    return tmp_path / "model"


def _copies(model: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tree]:
    """Yield mailboxes like the model, again and again."""
    number = 0
    while True:
        number += 1
        shutil.copytree(model, base / str(number))
        monkeypatch.setenv("AI_BRIDGE_STATE", str(base / str(number) / "state"))
        yield Tree(str(base / str(number) / "mailboxes"))
        shutil.rmtree(base / str(number))


def _places(where: Tree) -> Places:
    """Return where each message is, by its sender and its file's name; notices left out."""
    boxes = [box for box in where.outboxes() if box.owner in EVERYONE]
    return {(box.owner, name): state for box in boxes for state in STATES for name in box.names(state)}


def _turns() -> list[object]:
    """Of the calls every fourth fails with one error in an ordinary run, and each with each error in the long one."""
    long = [pytest.mark.faults, pytest.mark.timeout(1200)]
    return [(4, 0), *(pytest.param((1, turn), marks=long) for turn in range(len(ERRNOS)))]


@pytest.mark.parametrize("turn", _turns())
@pytest.mark.parametrize("act", [_pass, _read])
def test_a_look_that_fails_delays_and_loses_nothing(
    model: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, act: Act, turn: tuple[int, int]
) -> None:
    copies = _copies(model, tmp_path / "copies", monkeypatch)
    where = next(copies)
    act(where, settings)
    _pass(where, settings)
    expected, number, reached = _places(where), 0, True
    assert set(expected.values()) >= {"held", "malformed", "unread" if act is _pass else "read"}
    while reached:
        number += turn[0]
        where = next(copies)
        faulty = FaultyReads(str(Path(where.path).parent), number, ERRNOS[(number + turn[1]) % len(ERRNOS)])
        with suppress(BridgeError, OSError), faulty:
            act(where, settings)
        reached = len(faulty.calls) >= number
        if reached:
            assert "malformed" not in {state for (_, name), state in _places(where).items() if "nobody" not in name}
            act(where, settings)
            _pass(where, settings)
            assert _places(where) == expected, faulty.calls[number - 1]
    assert number > 50


def _is_free(path: str) -> bool:
    lock = Lock(path)
    taken = lock.acquire("test", patience_s=0.0)
    lock.release()
    return taken


def test_a_reader_that_fails_keeps_no_routers_lock(
    model: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server lives on after an error: what it kept no router could ever take."""
    copies, number, reached = _copies(model, tmp_path / "copies", monkeypatch), 0, True
    while reached:
        number += 1
        where = next(copies)
        faulty = FaultyReads(where.state_file("..", "home"), number, errno.EIO, ("stat",))
        with suppress(BridgeError, OSError), faulty:
            fetch.fetch(where, "gemini", settings)
        reached = len(faulty.calls) >= number
        kept = [agent for agent in EVERYONE if not _is_free(where.lock_file("router", agent))]
        assert kept == [], f"call {number}"
    assert number > 3


def _send(where: Tree, settings: Settings, to: str) -> list[str]:
    """Send as the faces do; returns the ID that was told."""
    draft, sender = Draft([to], "sent"), "claude@web" if to == "mini" else "claude"
    limits.check(where, sender, [draft], settings)
    return [send(where, sender, draft, LIMIT).id]


@pytest.mark.parametrize("turn", _turns())
@pytest.mark.parametrize("to", ["gemini", "mini", "*"])
def test_a_send_whose_look_fails_is_refused_whole_or_accepted(
    model: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, to: str, turn: tuple[int, int]
) -> None:
    copies, number, reached = _copies(model, tmp_path / "copies", monkeypatch), 0, True
    settings.pair_per_hour = 60
    while reached:
        number += turn[0]
        where, told = next(copies), []
        faulty = FaultyReads(str(Path(where.path).parent), number, ERRNOS[(number + turn[1]) % len(ERRNOS)])
        with suppress(BridgeError, OSError), faulty:
            told = _send(where, settings, to)
        reached = len(faulty.calls) >= number
        _pass(where, settings)
        sent = {label(name)[0]: state for (_, name), state in _places(where).items() if not name.startswith("m-")}
        assert set(sent) == set(told)
        assert MALFORMED not in sent.values()
    assert number > 10
