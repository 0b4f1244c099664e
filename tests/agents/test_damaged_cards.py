"""A damaged card holds its agent's mail, and an unreadable one delays it; neither affects another agent's mail."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ai_bridge.agents import address_book, cards, policy
from ai_bridge.errors import BridgeError
from ai_bridge.machines import homes
from ai_bridge.machines.home_lines import Residence
from ai_bridge.mailboxes.card_files import CardFiles
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.outbox import DROPPED, HELD, MALFORMED, REASON, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.daemon import Daemon
from ai_bridge.router.route import Router
from ai_bridge.sending import allowances, limits
from ai_bridge.settings import Settings
from tests.support.command import command
from tests.support.disk import FaultyReads
from tests.support.machine import LAPTOP, TOWER, On, settle_on
from tests.support.mail import LIMIT, route, send, states

PASSING = [errno.EIO, errno.EACCES, errno.ESTALE, errno.EMFILE, errno.ENOSPC]
HAND = "ID: {id}\nFrom: claude\nTo: {to}\nSubject: s\n\nhello"


@pytest.fixture(autouse=True)
def _named(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    where.make(["codex"])
    for agent in where.agents():
        cards.introduce(where, agent)


def _card(where: Tree, agent: str = "gemini") -> Path:
    return Path(cards.card_path(where, agent))


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(b"\0" * 200),
    "not UTF-8": lambda path: path.write_bytes(path.read_bytes().replace(b"gemini", b"\xff")),
    "without front matter": lambda path: path.write_text("what was it?\n"),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:30]),
    "no YAML": lambda path: path.write_text("---\nname: [\n---\n"),
    "too large": lambda path: path.write_bytes(path.read_bytes() + b"x" * 20_000),
    "a directory": _directory,
    "a symbolic link": _link,
}


@pytest.fixture(params=DAMAGES)
def _damaged(where: Tree, request: pytest.FixtureRequest) -> None:
    DAMAGES[request.param](_card(where))


def _send(to: str, body: str = "hello") -> str:
    done = command("send", to, "--from", "claude", body=body)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _read(agent: str) -> list[str]:
    done = command("read", "--agent", agent, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["body"] for line in done.stdout.splitlines()]


@pytest.mark.usefixtures("_damaged")
class TestADamagedCard:
    def test_holds_the_mail_and_names_the_command_that_repairs_it(self, where: Tree) -> None:
        id_, other = _send("gemini"), _send("codex")
        assert command("router", "--once").returncode == 0
        (name,) = [name for name in states(where, "claude")[HELD] if name.startswith(id_)]
        reason = Path(where.outbox("claude").file(HELD, name) + REASON).read_text()
        assert "the card of gemini is damaged (" in reason
        assert "`ai-bridge card edit gemini`" in reason
        assert f"`ai-bridge allow {id_}`" in reason
        assert states(where, "claude")[UNREAD] == [f"{other}.codex.txt"]

    def test_lets_a_person_pass_the_mail_all_the_same(self, where: Tree) -> None:
        id_ = _send("gemini")
        command("router", "--once")
        assert command("allow", id_).returncode == 0
        assert _read("gemini") == ["hello"]

    def test_is_named_by_health_with_the_command(self) -> None:
        done = command("health")
        assert "its card is damaged (" in done.stdout
        assert "`ai-bridge card edit gemini` repairs it; until then its mail is held" in done.stdout
        assert done.returncode == 1

    def test_is_not_changed_by_a_command_that_would_lose_the_rest(self, where: Tree) -> None:
        done = command("card", "set", "description=new", "gemini")
        assert done.returncode == 1
        assert "is damaged: " in done.stderr
        assert "repair it with `ai-bridge card edit gemini`" in done.stderr

    def test_takes_no_part_of_a_broadcast_from_the_others(self, where: Tree) -> None:
        _send("*", "to all")
        assert _read("codex") == ["to all"]


@pytest.mark.parametrize("damage", [kind for kind in DAMAGES if kind != "a directory"])
def test_an_editor_repairs_a_damaged_card(where: Tree, tmp_path: Path, damage: str) -> None:
    DAMAGES[damage](_card(where))
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nprintf -- "---\\ndescription: mended\\n---\\n" >"$1"\n')
    editor.chmod(0o700)
    done = command("card", "edit", "gemini", EDITOR=str(editor), VISUAL="")
    assert done.returncode == 0, done.stderr
    _send("gemini")
    assert _read("gemini") == ["hello"]
    assert "damaged" not in command("health").stdout


@pytest.mark.parametrize(
    "raw", [b"---\nname: gemini\nhome: %s\nhold: [\n---\n", b"---\nhome: %s\n---\n" + b"x" * 20_000]
)
def test_a_damaged_card_that_still_names_a_home_keeps_it(where: Tree, on: On, raw: bytes) -> None:
    settle_on(where, LAPTOP, "claude", "codex")
    _card(where).write_bytes(raw % TOWER.encode())
    on(LAPTOP)
    id_ = _send("gemini")
    command("router", "--once")
    assert states(where, "claude") == {DROPPED: [f"{id_}.gemini.txt"]}
    on(TOWER)
    command("router", "--once")
    assert states(where, "claude") == {HELD: [f"{id_}.gemini.txt"]}


def test_mail_waits_for_an_agent_whose_home_a_damaged_card_named_and_two_commands_bring_it_back(
    where: Tree, tmp_path: Path
) -> None:
    Path(where.path, ".stfolder").mkdir()
    _card(where).write_bytes(b"")
    id_ = _send("gemini")
    command("router", "--once")
    assert states(where, "claude") == {DROPPED: [f"{id_}.gemini.txt"]}
    said = "`ai-bridge card edit gemini` repairs it, then `ai-bridge init gemini` where it is to live; its mail waits"
    assert said in command("health").stdout
    refused = command("read", "--agent", "gemini")
    assert refused.returncode == 1
    assert "nobody can tell where gemini lives, for its card is damaged" in refused.stderr
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\ntouch -d "now + 5 seconds" "$1"\n')  # the template, saved as it is
    editor.chmod(0o700)
    assert command("card", "edit", "gemini", EDITOR=str(editor), VISUAL="").returncode == 0
    assert command("init", "gemini").returncode == 0
    assert _read("gemini") == ["hello"]


# --- a card that cannot be read now -----------------------------------------------------------------------


def _once(where: Tree, settings: Settings, card: Path | None = None, number: int = errno.EIO) -> None:
    """Make a pass as the router's process does; with a card, while that cannot be opened."""
    faulty = FaultyReads(str(card or where.path), 0 if card else -1, number, ("open",))
    with faulty:
        Daemon(where, settings).run_once()
    assert faulty.calls or not card


def _drop(where: Tree, id_: str, to: str) -> None:
    Path(where.outbox("claude").path, f"{id_}.txt").write_text(HAND.format(id=id_, to=to))


@pytest.mark.parametrize("number", PASSING)
def test_a_card_that_cannot_be_read_delays_its_agents_mail_alone(
    where: Tree, settings: Settings, number: int
) -> None:
    cards.change(where, "gemini", {"hold": "codex"})
    _drop(where, "m-1", "gemini")
    _drop(where, "m-2", "codex")
    router = Router(where, set(where.agents()), settings)
    with FaultyReads(str(_card(where)), 0, number, ("open",)):
        steps = {step.name: step.verb for step in router.one_pass()}
    assert steps == {"m-1.txt": "leave", "m-2.codex.txt": "deliver"}
    assert states(where, "claude") == {DROPPED: ["m-1.txt"], UNREAD: ["m-2.codex.txt"]}
    _once(where, settings)
    assert sorted(states(where, "claude")[UNREAD]) == ["m-1.gemini.txt", "m-2.codex.txt"]


@pytest.mark.parametrize("number", PASSING)
@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "mini"])
@pytest.mark.parametrize("to", ["*", "mini", "codex, gemini"])
def test_a_card_that_cannot_be_read_makes_no_message_malformed(
    where: Tree, settings: Settings, agent: str, to: str, number: int
) -> None:
    where.make(["mini"])
    cards.introduce(where, "mini")
    _drop(where, "m-1", to)
    _once(where, settings, _card(where, agent), number)
    assert MALFORMED not in states(where, "claude")
    wanted = {"*": ["codex", "gemini", "mini"], "mini": ["mini"]}.get(to, ["codex", "gemini"])
    if agent != "claude":
        now = [f"m-1.{name}.txt" for name in wanted if name != agent]
        assert states(where, "claude").get(UNREAD, []) == now, "the others have theirs"
    _once(where, settings)
    assert states(where, "claude") == {UNREAD: [f"m-1.{name}.txt" for name in wanted]}


@pytest.mark.parametrize("to", ["*", "gemini", "mini"])
def test_a_send_goes_on_although_a_card_cannot_be_read(where: Tree, settings: Settings, to: str) -> None:
    where.make(["mini"])
    for agent in where.agents():
        cards.introduce(where, agent)
    with FaultyReads(str(_card(where)), 0, errno.EIO, ("open",)):
        draft = Draft([to], "hello")
        limits.check(where, "claude", [draft], settings)
        sent = send(where, "claude", draft, LIMIT)
    wanted = {"*": ["codex", "gemini", "mini"], "mini": ["mini"]}.get(to, [to])
    assert sent.recipients == wanted


@pytest.mark.parametrize(("damage", "said"), [("empty", "\nHeld for gemini until a person lets it pass"), ("", "")])
def test_a_model_is_told_that_what_it_sent_is_held_if_that_can_be_told(where: Tree, damage: str, said: str) -> None:
    from ai_bridge.server import plain_tools

    if damage:
        DAMAGES[damage](_card(where))
        assert plain_tools._holding(where, "claude", ["codex", "gemini"]).startswith(said)
    else:
        with FaultyReads(str(_card(where)), 0, errno.EIO, ("open",)):
            assert plain_tools._holding(where, "claude", ["codex", "gemini"]) == said


def test_of_everybody_another_teams_agent_is_left_out_though_its_card_cannot_be_read(
    where: Tree, settings: Settings
) -> None:
    where.make(["ann@south"])
    cards.put(where, "ann@south", {"home": "", "link": "north", "remote": "ann"})
    assert "ann@south" in address_book.load_all(where)
    _drop(where, "m-1", "*")
    with FaultyReads(str(_card(where, "ann@south")), 0, errno.EIO, ("open",)):
        draft = Draft(["*"], "hello")
        limits.check(where, "claude", [draft], settings)
        assert draft.recipients == ["codex", "gemini"]
        Daemon(where, settings).run_once()
    assert states(where, "claude") == {UNREAD: ["m-1.codex.txt", "m-1.gemini.txt"]}


@pytest.mark.parametrize(("call", "known"), [("open", "first"), ("lstat", "second")])
def test_what_was_read_of_a_card_before_is_known_while_it_cannot_be_read(where: Tree, call: str, known: str) -> None:
    cards.change(where, "gemini", {"description": "first"})
    address_book.load_all(where)
    cards.change(where, "gemini", {"description": "second"})
    with FaultyReads(str(_card(where)), 0, errno.EIO, (call,)):
        assert address_book.load_all(where)["gemini"].get("description") == known
    assert address_book.load_all(where)["gemini"].get("description") == "second"


def test_health_says_whose_card_cannot_be_read_now(where: Tree, settings: Settings) -> None:
    from ai_bridge.health import mail

    with FaultyReads(str(_card(where)), 0, errno.EIO, ("open",)):
        reports = mail.examine(where, settings, where.agents())
    said = {report.agent: " ".join(finding.sentence for finding in report.findings) for report in reports}
    assert "its mail waits, for the card of gemini cannot be read now: " in said["gemini"]
    assert "card" not in said["claude"] + said["codex"]


def test_as_a_plain_user_a_card_without_rights_delays_its_mail_alone(where: Tree) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    _card(where).chmod(0)
    _drop(where, "m-1", "*")
    assert command("send", "*", "--from", "codex", body="hello").returncode == 0
    assert command("router", "--once").returncode == 0
    assert states(where, "claude") == {DROPPED: ["m-1.gemini.txt"], UNREAD: ["m-1.codex.txt"]}
    _card(where).chmod(0o600)
    assert _read("gemini")[0] == "hello"


def test_an_agent_without_a_home_has_its_mail_although_another_card_cannot_be_read(
    where: Tree, settings: Settings
) -> None:
    where.make(["plain"])
    _drop(where, "m-1", "plain")
    _once(where, settings, _card(where))
    assert states(where, "claude") == {UNREAD: ["m-1.plain.txt"]}


# --- what else is asked ---------------------------------------------------------------------------------


def test_an_epoch_that_cannot_be_read_leaves_an_agent_to_nobody_and_no_old_card_is_believed(
    where: Tree, on: On
) -> None:
    settle_on(where, LAPTOP, "gemini")
    on(LAPTOP)
    homes.remember(where, "gemini", Residence(TOWER, 2))
    with FaultyReads(where.state_file(homes.FOLDER, "gemini"), 0, errno.EIO, ("open",)):
        assert not homes.Homes(where).is_here("gemini")
    assert homes.Homes(where).home_of("gemini") == TOWER


def test_an_allowance_that_cannot_be_read_delays_and_does_not_hold(where: Tree, settings: Settings) -> None:
    cards.change(where, "gemini", {"hold": "claude"})
    allowances.allow_thread(where, "m-1", allowances.Allowance("20261128000000000000", "20261128000000000000"))
    _drop(where, "m-1", "gemini")
    router = Router(where, set(where.agents()), settings)
    with FaultyReads(os.path.join(where.path, "allowed"), 0, errno.EIO, ("open",)):
        assert [step.verb for step in router.one_pass()] == ["retry"]
    assert states(where, "claude") == {DROPPED: ["m-1.txt"]}
    assert [step.verb for step in router.one_pass()] == ["deliver"]


@pytest.mark.parametrize("number", PASSING)
def test_a_message_that_cannot_be_read_now_waits(where: Tree, settings: Settings, number: int) -> None:
    _drop(where, "m-1", "gemini")
    _drop(where, "m-2", "gemini")
    path = where.outbox("claude").file(DROPPED, "m-1.txt")
    with FaultyReads(path, 0, number, ("open",)), suppress(BridgeError):
        Daemon(where, settings).run_once()
    assert states(where, "claude") == {DROPPED: ["m-1.txt"], UNREAD: ["m-2.gemini.txt"]}
    route(where, settings)
    assert len(states(where, "claude")[UNREAD]) == 2


def test_a_card_is_looked_at_again_after_it_could_not_be_read(where: Tree) -> None:
    cards.change(where, "gemini", {"hold": "claude"})
    policies = policy.Policies(CardFiles(where))
    with FaultyReads(str(_card(where)), 0, errno.EIO, ("open",)), pytest.raises(OSError, match="Input/output"):
        policies.verdict("gemini", "claude")
    assert policies.verdict("gemini", "claude") == policy.HOLD
