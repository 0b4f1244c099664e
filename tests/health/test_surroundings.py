"""health and doctor report the state of the disk, Syncthing, other machines and clocks, and how to fix it."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from ai_bridge.health import surroundings
from ai_bridge.health.surroundings import NOTE, OK, WRONG, examine
from ai_bridge.machines import clocks
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.settings import Settings
from ai_bridge.system import filesystems
from tests.agents.test_presence import tell
from tests.conftest import LAPTOP, MINI, TOWER, On, command, settle_on
from tests.machines.syncthing.test_nudge import set_up
from tests.system.test_filesystems import mounted, table


def facts(where: Mailboxes, settings: Settings) -> dict[str, surroundings.Fact]:
    return {fact.what: fact for fact in examine(where, settings)}


def test_of_mailboxes_on_one_machine_nothing_is_told(where: Mailboxes, settings: Settings) -> None:
    assert examine(where, settings) == []


def test_a_share_is_told_of_and_how_it_is_looked_at(
    where: Mailboxes, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table(tmp_path, monkeypatch, mounted("nfs4", where.path))
    found = facts(where, settings)
    assert set(found) == {"share"}
    assert found["share"].said == "the mailboxes lie on nfs4 (srv:/x): looked at every 1 s (setting poll_s)"
    table(tmp_path, monkeypatch, mounted("fuse.sshfs", where.path))
    assert "dir_cache=no" in facts(where, settings)["share"].said


def test_a_state_directory_on_a_share_is_wrong(
    where: Mailboxes, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / "home" / "not yet" / "made"))
    (tmp_path / "home").mkdir()
    table(tmp_path, monkeypatch, mounted("nfs4", str(tmp_path / "home")))
    found = facts(where, settings)
    assert found["state"].level == WRONG
    assert "AI_BRIDGE_STATE=" in found["state"].mend


def test_a_tool_that_is_not_asked_to_hurry_is_told_of(where: Mailboxes, settings: Settings) -> None:
    (Path(where.path).parent / ".dropbox").write_text("")
    found = facts(where, settings)["sync"]
    assert (found.level, found.mend) == (OK, "")
    (Path(where.path) / ".stfolder").mkdir()
    found = facts(where, settings)["sync"]
    assert (found.level, found.mend) == (NOTE, "ai-bridge sync setup")


def test_a_syncthing_that_does_not_answer_is_wrong(where: Mailboxes, settings: Settings) -> None:
    set_up(where, "http://127.0.0.1:1")
    found = facts(where, settings)["sync"]
    assert (found.level, found.mend) == (WRONG, "ai-bridge sync")


def test_other_machines_are_named_and_one_that_is_silent_is_no_trouble(
    where: Mailboxes, settings: Settings, on: On
) -> None:
    on(LAPTOP)
    settle_on(where, TOWER, "claude")
    tell(where, host=MINI)
    found = facts(where, settings)["machines"]
    assert (found.level, found.said) == (OK, f"this is {LAPTOP}; others: {MINI} (there), {TOWER} (silent)")


def test_clocks_that_differ_are_named(where: Mailboxes, settings: Settings) -> None:
    clocks._save(where, {clocks.HERE: -7.0, TOWER: 90.0, MINI: -4000.0, LAPTOP: 3.0})
    said = [fact.said for fact in examine(where, settings) if fact.what == "clock"]
    assert said == [
        "this machine's clock jumped by -7 s within a day; no mail depends on it",
        f"the clock of {TOWER} is about 90 s ahead; no mail depends on it",
        f"the clock of {MINI} is about 4000 s behind; no mail depends on it",
    ]


@pytest.mark.parametrize("folder", ["agents", "presence"])
def test_a_conflict_copy_of_a_card_is_named_and_what_mends_it_does(
    where: Mailboxes, settings: Settings, folder: str
) -> None:
    directory = Path(where.path, folder)
    directory.mkdir(exist_ok=True)
    copies = [
        directory / "claude (Ann's conflicted copy 2026-11-22).md",
        directory / "claude.sync-conflict-20261122-030057-757LWGV.md",
    ]
    for path in (*copies, directory / "claude.md"):
        path.write_text("---\nname: claude\n---\n")
    found = [fact for fact in examine(where, settings) if fact.what == "copy"]
    assert len(found) == 2
    for fact in found:
        assert "is a conflict copy of claude.md, which is in force" in fact.said
        subprocess.run(shlex.split(fact.mend), check=True)
    assert [path.exists() for path in copies] == [False, False]
    assert (directory / "claude.md").exists()


def test_doctor_and_health_tell_of_it(where: Mailboxes, on: On) -> None:
    on(LAPTOP)
    settle_on(where, TOWER, "claude")
    (Path(where.path) / ".stfolder").mkdir()
    done = command("doctor", "--json", "--mailboxes", where.path)
    checks = {one.get("check") for one in map(json.loads, done.stdout.splitlines()) if one.get("client") == "mail"}
    assert checks >= {"machines", "sync"}
    assert TOWER in command("health", "--mailboxes", where.path).stdout


def test_the_nearest_directory_that_is_there_is_asked(tmp_path: Path) -> None:
    assert surroundings._existing(str(tmp_path / "a" / "b")) == str(tmp_path)
    assert filesystems.file_system(surroundings._existing("/no/such/path")).type
