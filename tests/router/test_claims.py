"""Claims: a lost answer does not lose a message, and a message that another router claimed is never given back."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router import claims
from ai_bridge.router.claims import Claims
from ai_bridge.router.route import Router
from ai_bridge.settings import Settings
from ai_bridge.system import durable
from tests.support.mail import post, states

HAND = "ID: {id}\nFrom: claude\nTo: {to}\nSubject: s\n\nhello"
LOST = sorted(durable._LOST_ANSWER)


def lose_answers(monkeypatch: pytest.MonkeyPatch, number: int, times: int = 1) -> None:
    """Let a rename be done, and its answer be lost, so many times."""
    real, left = durable._rename_noreplace, [times]

    def rename(source: str, target: str) -> bool:
        done = real(source, target)
        if left[0] > 0:
            left[0] -= 1
            raise OSError(number, os.strerror(number), source)
        return done

    monkeypatch.setattr(durable, "_rename_noreplace", rename)


@pytest.mark.parametrize("number", LOST)
def test_a_move_whose_answer_was_lost_is_a_move(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    name = f"{post(where)}.gemini.txt"
    lose_answers(monkeypatch, number, times=2)  # of the claim, and of the delivery
    assert [step.verb for step in Router(where, {"gemini"}, settings).one_pass()] == ["deliver"]
    assert states(where, "claude") == {UNREAD: [name]}


@pytest.mark.parametrize("number", LOST)
def test_a_move_that_was_not_made_is_an_error(where: Tree, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    name = f"{post(where)}.gemini.txt"

    def refuse(source: str, target: str) -> bool:
        raise OSError(number, os.strerror(number), source)

    monkeypatch.setattr(durable, "_rename_noreplace", refuse)
    with pytest.raises(OSError, match=os.strerror(number)):
        where.outbox("claude").move("claim", name)
    assert states(where, "claude") == {DROPPED: [name]}


def test_a_claim_whose_answer_was_lost_goes_back_at_the_next_pass(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{post(where)}.gemini.txt"
    router = Router(where, {"gemini"}, settings)
    with monkeypatch.context() as patched:
        lose_answers(patched, errno.EINTR)  # one that does not tell that the move was made
        assert [step.verb for step in router.one_pass()] == ["retry"]
    assert states(where, "claude") == {PROCESSING: [name]}
    assert [step.verb for step in router.one_pass()] == ["deliver"]
    assert states(where, "claude") == {UNREAD: [name]}


def test_a_claim_that_cannot_be_looked_at_goes_back_at_the_next_pass(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{post(where)}.gemini.txt"
    router = Router(where, {"gemini"}, settings)

    class Stale:
        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

        def lstat(self, path: str) -> os.stat_result:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), path)

    with monkeypatch.context() as patched:
        patched.setattr(claims, "os", Stale())
        assert [step.verb for step in router.one_pass()] == ["retry"]
    assert states(where, "claude") == {PROCESSING: [name]}
    assert [step.verb for step in router.one_pass()] == ["deliver"]


def test_what_another_router_claimed_under_the_same_name_is_not_given_back(where: Tree, settings: Settings) -> None:
    where.make(["codex"])
    outbox = where.outbox("claude")
    Path(outbox.file(DROPPED, "hand.txt")).write_text(HAND.format(id="m-1", to="gemini"))
    assert outbox.move("claim", "hand.txt")  # the router of gemini has it in hand
    Path(outbox.file(DROPPED, "hand.txt")).write_text(HAND.format(id="m-2", to="codex"))
    router = Router(where, {"codex"}, settings)
    for _ in range(3):
        assert [step.verb for step in router.one_pass()] == ["retry"]
        assert states(where, "claude") == {DROPPED: ["hand.txt"], PROCESSING: ["hand.txt"]}
    assert outbox.move("deliver", "hand.txt", "m-1.gemini.txt")
    assert [step.verb for step in router.one_pass()] == ["deliver"]
    assert sorted(states(where, "claude")[UNREAD]) == ["m-1.gemini.txt", "m-2.codex.txt"]


def _renumber(path: Path) -> None:
    raw, found = path.read_bytes(), path.stat()
    path.unlink()
    path.write_bytes(raw)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize(("is_network", "taken"), [(False, False), (True, True)])
def test_on_a_share_a_file_may_have_another_number_after_its_move(where: Tree, is_network: bool, taken: bool) -> None:
    name = f"{post(where)}.gemini.txt"
    outbox = where.outbox("claude")
    path = Path(outbox.file(DROPPED, name))
    kept = path.with_suffix(".kept")
    os.link(path, kept)  # so that the number is not given to the next file
    found = path.stat()
    _renumber(path)
    assert Claims().take(outbox, name, found, is_network) is taken
    assert (name in states(where, "claude").get(PROCESSING, [])) is taken


# --- publish ----------------------------------------------------------------------------------------------


def _link(monkeypatch: pytest.MonkeyPatch, link: Callable[[str, str], None]) -> None:
    class Linking:
        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

        def link(self, source: str, target: str, **_: object) -> None:
            link(source, target)

    monkeypatch.setattr(durable, "os", Linking())


def test_a_link_that_was_made_and_asked_for_again_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, final = tmp_path / "t", tmp_path / "f"
    temporary.write_text("x")

    def twice(source: str, target: str) -> None:
        os.link(source, target)
        os.link(source, target)

    _link(monkeypatch, twice)
    durable.publish(str(temporary), str(final))
    assert (temporary.exists(), final.read_text()) == (False, "x")


def test_a_name_that_another_file_has_is_taken(tmp_path: Path) -> None:
    temporary, final = tmp_path / "t", tmp_path / "f"
    temporary.write_text("x")
    final.write_text("y")
    with pytest.raises(FileExistsError):
        durable.publish(str(temporary), str(final))
    assert (temporary.read_text(), final.read_text()) == ("x", "y")
