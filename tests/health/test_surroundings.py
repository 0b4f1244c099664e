"""health and doctor report the state of the disk, Syncthing, other machines and clocks, and how to fix it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ai_bridge import settings as settings_
from ai_bridge.health import surroundings
from ai_bridge.health.finding import NOTE, OK, WRONG, Finding
from ai_bridge.health.surroundings import examine
from ai_bridge.machines import clocks
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from ai_bridge.system import filesystems, processes
from tests.support.command import command
from tests.support.machine import LAPTOP, MINI, TOWER, On, settle_on
from tests.support.mounts import mounted, table
from tests.support.presence import tell
from tests.support.syncthing import set_up


def findings(where: Tree, settings: Settings) -> dict[str, Finding]:
    return {finding.where: finding for finding in examine(where, settings)}


def test_of_mailboxes_on_one_machine_nothing_is_told(where: Tree, settings: Settings) -> None:
    assert examine(where, settings) == []


def test_a_share_is_told_of_and_how_it_is_looked_at(
    where: Tree, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table(tmp_path, monkeypatch, mounted("nfs4", where.path))
    found = findings(where, settings)
    assert set(found) == {"share"}
    assert found["share"].what == "the mailboxes are on nfs4 (srv:/x): looked at every 1 s (setting poll_s)"
    table(tmp_path, monkeypatch, mounted("fuse.sshfs", where.path))
    assert "dir_cache=no" in findings(where, settings)["share"].what


def test_a_state_directory_on_a_share_is_wrong(
    where: Tree, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / "home" / "not yet" / "made"))
    (tmp_path / "home").mkdir()
    table(tmp_path, monkeypatch, mounted("nfs4", str(tmp_path / "home")))
    found = findings(where, settings)
    assert found["state"].level == WRONG
    assert "AI_BRIDGE_STATE=" in found["state"].fix


def test_a_tool_that_is_not_asked_to_hurry_is_told_of(where: Tree, settings: Settings) -> None:
    (Path(where.path).parent / ".dropbox").write_text("")
    found = findings(where, settings)["sync"]
    assert (found.level, found.fix) == (OK, "")
    (Path(where.path) / ".stfolder").mkdir()
    found = findings(where, settings)["sync"]
    assert (found.level, found.fix) == (NOTE, "ai-bridge sync setup")


def test_a_syncthing_that_does_not_answer_is_wrong(where: Tree, settings: Settings) -> None:
    set_up(where, "http://127.0.0.1:1")
    found = findings(where, settings)["sync"]
    assert (found.level, found.fix) == (WRONG, "ai-bridge sync")


def test_other_machines_are_named_and_one_that_is_silent_is_no_trouble(
    where: Tree, settings: Settings, on: On
) -> None:
    on(LAPTOP)
    settle_on(where, TOWER, "claude")
    tell(where, host=MINI)
    found = findings(where, settings)["machines"]
    assert (found.level, found.what) == (OK, f"this is {LAPTOP}; others: {MINI} (there), {TOWER} (silent)")


def test_clocks_that_differ_are_named(where: Tree, settings: Settings) -> None:
    clocks._save(where, {clocks.HERE: -7.0, TOWER: 90.0, MINI: -4000.0, LAPTOP: 3.0})
    said = [one.what for one in examine(where, settings) if one.where == "clock"]
    assert said == [
        "this machine's clock jumped by -7 s within a day; no mail depends on it",
        f"the clock of {TOWER} is about 90 s ahead; no mail depends on it",
        f"the clock of {MINI} is about 4000 s behind; no mail depends on it",
    ]


@pytest.mark.parametrize("folder", ["agents", "presence"])
def test_a_conflict_copy_of_a_card_is_named_and_what_fixes_it_does(
    where: Tree, settings: Settings, folder: str
) -> None:
    directory = Path(where.path, folder)
    directory.mkdir(exist_ok=True)
    copies = [
        directory / "claude (Ann's conflicted copy 2026-11-22).md",
        directory / "claude.sync-conflict-20261122-030057-757LWGV.md",
    ]
    for path in (*copies, directory / "claude.md"):
        path.write_text("---\nname: claude\n---\n")
    found = [one for one in examine(where, settings) if one.where == "copy"]
    assert len(found) == 2
    for one in found:
        assert "is a conflict copy of claude.md, which is in force" in one.what
        subprocess.run(shlex.split(one.fix), check=True)
    assert [path.exists() for path in copies] == [False, False]
    assert (directory / "claude.md").exists()


def test_a_watchdog_that_delays_mail_is_told_of_with_the_command_that_fixes_it(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "watchdog.observers.inotify_c", None)
    (found,) = examine(where, settings)
    assert (found.where, found.level, found.fix) == ("events", NOTE, processes.pip_command("watchdog"))
    assert "half a second late" in found.what
    assert "'watchdog<8" in found.fix
    assert examine(where, settings_.load(where.path, {"poll": True})) == []
    monkeypatch.setattr(sys, "platform", "darwin")
    assert examine(where, settings) == []


@pytest.mark.parametrize("name", ["doctor", "health"])
def test_doctor_and_health_tell_of_a_watchdog_that_delays_mail(where: Tree, name: str) -> None:
    script = (
        "import sys\nsys.modules['watchdog.observers.inotify_c'] = None\n"
        "from ai_bridge.cli.main import bridge\nbridge(prog_name='ai-bridge')"
    )
    words = [sys.executable, "-c", script, name, "--mailboxes", where.path]
    plain = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    listed = subprocess.run([*words, "--json"], capture_output=True, text=True, timeout=60, check=False)
    assert plain.stdout.count("half a second late") == plain.stdout.count("'watchdog<8") == 1
    (one,) = [one for one in map(json.loads, listed.stdout.splitlines()) if "half a second" in one.get("found", "")]
    assert one["fix"] == processes.pip_command("watchdog")
    assert "half a second late" not in command(name, "--mailboxes", where.path).stdout


def test_doctor_and_health_tell_of_it(where: Tree, on: On) -> None:
    on(LAPTOP)
    settle_on(where, TOWER, "claude")
    (Path(where.path) / ".stfolder").mkdir()
    checks = {one.get("check") for one in _lines("doctor", where) if one.get("client") == "mail"}
    assert checks >= {"machines", "sync"}
    assert TOWER in command("health", "--mailboxes", where.path).stdout
    around = [one for one in _lines("health", where) if "around" in one]
    assert {one["around"]: one["fix"] for one in around} == {
        "router": "ai-bridge start",
        "sync": "ai-bridge sync setup",
        "machines": "",
    }
    assert {tuple(one) for one in around} == {("around", "found", "fix")}


def _lines(name: str, where: Tree) -> list[dict[str, object]]:
    return [json.loads(line) for line in command(name, "--json", "--mailboxes", where.path).stdout.splitlines()]


def test_the_nearest_directory_that_is_there_is_asked(tmp_path: Path) -> None:
    assert surroundings._existing(str(tmp_path / "a" / "b")) == str(tmp_path)
    assert filesystems.file_system(surroundings._existing("/no/such/path")).type
