"""One pass: claim, check, deliver or reject; no file and no content stops the next one."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from ai_bridge import settings as settings_
from ai_bridge.agents import cards
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.find import find_mailboxes
from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, PROCESSING, READ, REASON, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router import route
from ai_bridge.router.route import Router
from ai_bridge.settings import Settings
from ai_bridge.system import durable, settled
from tests.support.disk import FaultyOs
from tests.support.mail import post, states
from tests.support.mail import route as run

TEXT = "ID: {id}\nFrom: {sender}\nTo: {to}\nSubject: s\n\n{body}"


def hand_drop(
    where: Tree,
    name: str = "x.txt",
    id_: str = "hand-1",
    sender: str = "claude",
    to: str = "gemini",
    body: str = "b",
) -> Path:
    path = Path(where.outbox("claude").file(DROPPED, name))
    path.write_bytes(TEXT.format(id=id_, sender=sender, to=to, body=body).encode())
    return path


def reason(where: Tree, name: str, owner: str = "claude") -> str:
    return Path(where.outbox(owner).file(MALFORMED, name) + REASON).read_text()


def notices(where: Tree, agent: str = "claude") -> list[str]:
    return [one.load().body for one in unread.unread_for(where, agent, "postmaster")]


def test_a_sent_message_is_delivered_under_its_name(where: Tree, settings: Settings) -> None:
    id_ = post(where)
    assert [step.verb for step in run(where, settings)] == ["deliver"]
    assert states(where, "claude") == {UNREAD: [f"{id_}.gemini.txt"]}


def test_a_hand_dropped_file_gets_its_proper_name(where: Tree, settings: Settings) -> None:
    hand_drop(where, "any name at all.txt")
    run(where, settings)
    assert states(where, "claude") == {UNREAD: ["hand-1.gemini.txt"]}


def test_the_headers_are_the_truth_and_the_name_a_label(where: Tree, settings: Settings) -> None:
    where.make(["codex"])
    hand_drop(where, "other-id.codex.txt", to="gemini")
    run(where, settings)
    assert states(where, "claude") == {UNREAD: ["hand-1.gemini.txt"]}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"sender": "gemini"}, "only claude sends from there"),
        ({"to": "gemni"}, "did you mean gemini?"),
        ({"to": "gemini, nobody"}, "To cannot be served: there is no agent nobody"),
        ({"id_": "../x"}, "is not a message ID"),
        ({"id_": ""}, "is not a message ID"),
        ({"to": ""}, "To is missing"),
    ],
)
def test_what_cannot_be_delivered_is_kept_with_its_reason_and_the_sender_is_told(
    where: Tree, settings: Settings, words: dict[str, str], sentence: str
) -> None:
    hand_drop(where, **words)
    good = post(where)
    run(where, settings)
    assert states(where, "claude") == {MALFORMED: ["x.txt"], UNREAD: [f"{good}.gemini.txt"]}
    assert sentence in reason(where, "x.txt")
    assert [sentence in body for body in notices(where)] == [True]


def _fifo(path: str) -> None:
    os.mkfifo(path)


def _socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)


def _full_directory(path: str) -> None:
    os.mkdir(path)
    Path(path, "inside").write_text("kept")


def _sparse(path: str) -> None:
    with open(path, "wb") as file:
        file.truncate(10 << 30)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: os.symlink("/etc/hostname", path), "a symbolic link"),
        (lambda path: os.symlink("/nowhere", path), "a symbolic link"),
        (_fifo, "a FIFO"),
        (_socket, "a socket"),
        (os.mkdir, "a directory"),
        (_full_directory, "a directory"),
        (_sparse, "over the limit"),
        (lambda path: Path(path).write_bytes(b"ID: a\xff"), "not UTF-8"),
        (lambda path: Path(path).write_bytes(b""), "header line 1"),
    ],
    ids=["symlink", "dangling symlink", "fifo", "socket", "directory", "full directory", "sparse", "bytes", "empty"],
)
def test_a_trap_is_set_aside_and_the_next_message_arrives(
    where: Tree, settings: Settings, make: object, sentence: str
) -> None:
    assert callable(make)
    make(where.outbox("claude").file(DROPPED, "x.txt"))
    good = post(where)
    run(where, settings)
    assert states(where, "claude") == {MALFORMED: ["x.txt"], UNREAD: [f"{good}.gemini.txt"]}
    assert sentence in reason(where, "x.txt")


def test_a_name_that_is_not_utf8_is_delivered_or_kept(where: Tree, settings: Settings) -> None:
    root = os.fsencode(where.outbox("claude").path)
    Path(os.fsdecode(root + b"/\xff good.txt")).write_text(
        TEXT.format(id="a1", sender="claude", to="gemini", body="")
    )
    Path(os.fsdecode(root + b"/\xfe bad.txt")).write_text("bad")
    run(where, settings)
    found = states(where, "claude")
    assert found[UNREAD] == ["a1.gemini.txt"]
    assert [os.fsencode(name) for name in found[MALFORMED]] == [b"\xfe bad.txt"]
    assert len(notices(where)) == 1


def test_other_files_are_not_looked_at(where: Tree, settings: Settings) -> None:
    root = Path(where.outbox("claude").path)
    for name in ("notes.md", ".hidden.txt", "x.txt~", ".nfs000.txt"):
        (root / name).write_text("left alone")
    assert run(where, settings) == []
    assert (root / ".hidden.txt").exists()


class TestWholeFiles:
    def test_a_file_open_for_writing_is_left_until_it_is_closed(self, where: Tree, settings: Settings) -> None:
        path = hand_drop(where)
        with open(path, "ab") as writer:
            assert run(where, settings) == []
            writer.write(b" and the rest")
        run(where, settings)
        assert unread.unread_for(where, "gemini")[0].load().body == "b and the rest"

    def test_what_looks_malformed_is_given_time(self, where: Tree) -> None:
        patient = settings_.load(where.path, {"settle_s": 3600.0})
        path = hand_drop(where)
        whole = path.read_bytes()
        path.write_bytes(whole[:20])
        assert run(where, patient) == []
        path.write_bytes(whole)
        assert [step.verb for step in run(where, patient)] == ["deliver"]

    def test_where_the_kernel_cannot_say_a_file_must_have_settled(
        self, where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settled, "has_writer", lambda fd: None)
        hand_drop(where)
        sent = post(where)
        patient = settings_.load(where.path, {"settle_s": 3600.0})
        assert [step.name for step in run(where, patient)] == [f"{sent}.gemini.txt"]
        assert [step.name for step in run(where, settings)] == ["hand-1.gemini.txt"]

    def test_a_file_exchanged_between_reading_and_claiming_is_given_back(
        self, where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = hand_drop(where)
        original = route.Router.recipients

        def exchange(self: Router, outbox: object, name: object, parsed: object) -> list[str]:
            monkeypatch.setattr(route.Router, "recipients", original)
            os.unlink(path)
            hand_drop(where, id_="other-2", body="another file")
            return original(self, outbox, name, parsed)  # type: ignore[arg-type]

        monkeypatch.setattr(route.Router, "recipients", exchange)
        run(where, settings)
        assert states(where, "claude") in ({DROPPED: ["x.txt"]}, {UNREAD: ["other-2.gemini.txt"]})
        run(where, settings)
        assert states(where, "claude") == {UNREAD: ["other-2.gemini.txt"]}


class TestDuplicates:
    def test_the_same_message_again_collapses(self, where: Tree, settings: Settings) -> None:
        for name in ("one.txt", "two.txt"):
            hand_drop(where, name)
        assert [step.verb for step in run(where, settings)] == ["deliver", "collapse"]
        assert states(where, "claude") == {UNREAD: ["hand-1.gemini.txt"]}

    def test_the_same_message_after_it_was_read_collapses(self, where: Tree, settings: Settings) -> None:
        hand_drop(where)
        run(where, settings)
        unread.acknowledge(where, "gemini", ["hand-1"])
        hand_drop(where)
        run(where, settings)
        assert states(where, "claude") == {READ: ["hand-1.gemini.txt"]}

    @pytest.mark.parametrize("read_first", [False, True])
    def test_the_same_id_with_other_content_is_malformed(
        self, where: Tree, settings: Settings, read_first: bool
    ) -> None:
        hand_drop(where)
        run(where, settings)
        if read_first:
            unread.acknowledge(where, "gemini", ["hand-1"])
        hand_drop(where, body="other")
        run(where, settings)
        assert states(where, "claude")[MALFORMED] == ["x.txt"]
        assert "hand-1 was already used" in reason(where, "x.txt")

    def test_rejected_files_of_one_name_are_all_kept(self, where: Tree, settings: Settings) -> None:
        for number in range(3):
            hand_drop(where, to="nobody", body=str(number))
            run(where, settings)
        assert set(states(where, "claude")[MALFORMED]) == {"x.txt", "x~1.txt", "x~2.txt"}


class TestFanOut:
    @pytest.mark.parametrize("to", ["gemini, codex", "*"])
    def test_one_file_for_each_recipient(self, where: Tree, settings: Settings, to: str) -> None:
        where.make(["codex"])
        hand_drop(where, to=to)
        run(where, settings)
        assert set(states(where, "claude")[UNREAD]) == {"hand-1.gemini.txt", "hand-1.codex.txt"}
        (message,) = [one.load() for one in unread.unread_for(where, "codex")]
        assert (message.recipients, message.body) == (["codex"], "b")

    def test_everybody_is_nobody_where_the_sender_is_alone(self, tmp_path: Path) -> None:
        alone = Tree(str(tmp_path / "alone"))
        alone.make(["claude"])
        hand_drop(alone, to="*")
        run(alone, settings_.load(alone.path, {"settle_s": 0.0}))
        assert "To: * reaches nobody else" in reason(alone, "x.txt")

    def test_done_again_after_a_crash_it_ends_alike(self, where: Tree, settings: Settings) -> None:
        where.make(["codex"])
        raw = hand_drop(where, to="gemini, codex").read_bytes()
        run(where, settings)
        Path(where.outbox("claude").file(PROCESSING, "x.txt")).write_bytes(raw)
        run(where, settings)
        assert set(states(where, "claude")) == {UNREAD}
        assert len(states(where, "claude")[UNREAD]) == 2


class TestWhoMoves:
    def test_a_router_leaves_what_is_for_another_agent(self, where: Tree, settings: Settings) -> None:
        post(where, to="gemini")
        assert run(where, settings, {"claude"}) == []
        assert [step.verb for step in run(where, settings, {"gemini"})] == ["deliver"]

    @pytest.mark.parametrize("to", ["nobody", "*", "gemini, claude"])
    def test_what_has_no_single_recipient_is_its_owners(self, where: Tree, settings: Settings, to: str) -> None:
        hand_drop(where, to=to)
        assert run(where, settings, {"gemini"}) == []
        assert run(where, settings, {"claude"}) != []

    def test_a_malformed_file_named_for_an_agent_is_that_agents_routers(
        self, where: Tree, settings: Settings
    ) -> None:
        Path(where.outbox("claude").file(DROPPED, "a1.gemini.txt")).write_text("Subject: bad")
        assert run(where, settings, {"claude"}) == []
        assert run(where, settings, {"gemini"})[0].verb == "reject"


def test_a_notice_is_never_answered_by_a_notice(where: Tree, settings: Settings) -> None:
    where.outbox("postmaster").make()
    Path(where.outbox("postmaster").file(DROPPED, "x.txt")).write_text("bad")
    run(where, settings)
    assert states(where, "postmaster") == {MALFORMED: ["x.txt"]}
    assert notices(where) == []


def test_messages_of_one_sender_arrive_in_their_order(where: Tree, settings: Settings) -> None:
    sent = [post(where, str(number)) for number in range(200)]
    delivered = [step.name.removesuffix(".gemini.txt") for step in run(where, settings)]
    assert delivered == sent
    assert [one.id for one in unread.unread_for(where, "gemini")] == sent


def test_a_disk_that_refuses_a_move_leaves_the_message_for_the_next_pass(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = post(where)
    router = Router(where, {"claude", "gemini"}, settings)
    monkeypatch.setattr(durable, "find_function", lambda name: None)
    for number in (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES):
        monkeypatch.setattr(durable, "os", FaultyOs(fail={"link": number}))
        assert [step.verb for step in router.one_pass()] == ["retry"]
        assert states(where, "claude") == {DROPPED: [f"{id_}.gemini.txt"]}
    monkeypatch.setattr(durable, "os", os)
    assert [step.verb for step in router.one_pass()] == ["deliver"]


def test_the_older_layout_is_read_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its outboxes lie in `.server`, some of their directories made only when first needed, and IDs are shorter."""
    from ai_bridge.mailboxes import adoption
    from tests.support.command import command

    project = tmp_path / "project"
    for agent in ("claude", "gemini"):
        (project / ".server" / f"{agent}-outbox").mkdir(parents=True)
    old = project / ".server/claude-outbox/claude-20251007-123456.txt"
    old.write_text(TEXT.format(id="claude-20251007-123456", sender="claude", to="gemini", body="from then"))
    monkeypatch.chdir(project)
    adoption.adopt(str(project / ".server"))
    found = find_mailboxes()
    run(found, settings_.load(found.path, {"settle_s": 0.0}))
    assert states(found, "claude") == {UNREAD: ["claude-20251007-123456.gemini.txt"]}
    assert "from then" in command("read", "--agent", "gemini").stdout
    assert command("send", "gemini", "--from", "claude", body="from now").returncode == 0


def test_a_message_whose_outbox_lacks_a_directory_still_moves(where: Tree, settings: Settings) -> None:
    id_ = post(where)
    outbox = where.outbox("claude")
    for state in (PROCESSING, UNREAD):
        os.rmdir(outbox.directory(state))
    router = Router(where, {"claude", "gemini"}, settings)
    assert [step.verb for step in router.one_pass()] == ["retry"]
    assert [step.verb for step in router.one_pass()] == ["deliver"]
    assert states(where, "claude") == {UNREAD: [f"{id_}.gemini.txt"]}


def test_an_agent_that_comes_during_a_pass_gets_its_mail(where: Tree, settings: Settings) -> None:
    first = post(where)
    steps = Router(where, {"claude", "gemini", "codex"}, settings).one_pass()
    assert next(steps).name == f"{first}.gemini.txt"
    where.make(["codex"])
    second = post(where, to="codex", sender="gemini")
    assert [(step.verb, step.name) for step in steps] == [("deliver", f"{second}.codex.txt")]


def test_a_pass_over_some_outboxes_leaves_the_others_alone(where: Tree, settings: Settings) -> None:
    router = Router(where, {"claude", "gemini"}, settings)
    mine, other = post(where, "x"), post(where, "y", to="claude", sender="gemini")
    router.refresh()
    assert [step.name for step in router.one_pass([where.outbox("claude")])] == [f"{mine}.gemini.txt"]
    assert states(where, "gemini") == {DROPPED: [f"{other}.claude.txt"]}


def test_a_name_that_is_reserved_is_no_message_yet_and_one_whose_maker_died_is_set_aside(
    where: Tree, settings: Settings
) -> None:
    """Where a file system knows no links, a drop takes its name with an empty file first."""
    path = Path(where.outbox("claude").path) / "claude-20261122-032405-271828-k7f2.gemini.txt"
    path.touch()
    assert [step.verb for step in Router(where, {"claude", "gemini"}, settings).one_pass()] == ["leave"]
    os.utime(path, (0, 0))
    assert [step.verb for step in Router(where, {"claude", "gemini"}, settings).one_pass()] == ["reject"]


# --- what a pass costs ------------------------------------------------------------------------------------


def _every_outcome(where: Tree) -> None:
    """Drop what is delivered, held, rejected, fanned out, collapsed, and left for later."""
    cards.change(where, "codex", {"hold": "claude"})
    root = Path(where.outbox("claude").path)
    for name, to in {"one": "gemini", "held": "codex", "all": "*", "bad": "nobody"}.items():
        (root / f"{name}.txt").write_text(f"ID: m-{name}\nFrom: claude\nTo: {to}\nSubject: s\n\nbody")
    (root / "zz again.txt").write_text("ID: m-one\nFrom: claude\nTo: gemini\nSubject: s\n\nbody")
    (root / "no message.txt").write_text("no headers")
    os.mkfifo(root / "fifo.txt")
    (root / "m-1-20260101-000000-000000-abcd.gemini.txt").touch()


def test_a_pass_of_every_outcome_leaves_no_descriptor_open(where: Tree, settings: Settings) -> None:
    where.make(["codex"])
    _every_outcome(where)
    router = Router(where, set(where.agents()), settings)
    before = sorted(os.listdir("/proc/self/fd"))
    verbs = {step.verb for step in router.one_pass()}
    assert verbs == {"deliver", "hold", "reject", "fan out", "collapse", "leave"}
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_a_pass_that_delivers_flushes_nothing(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the moves, which only repeat, nor the counts of traffic, which are a cache."""
    settings.pair_per_hour = 60
    post(where)
    run(where, settings)
    post(where)
    flushed: list[object] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    assert [step.verb for step in run(where, settings)] == ["deliver"]
    assert flushed == []
