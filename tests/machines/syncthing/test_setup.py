"""`ai-bridge sync setup` against the real Syncthing, twice, and the report of the link afterwards."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from ai_bridge.machines.syncthing import nudge, setup, status
from ai_bridge.machines.syncthing.setup import FolderElsewhere, default_folder, set_up
from ai_bridge.mailboxes.outbox import DROPPED, TEMPORARY
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system.directories import memory_of
from tests.support.command import command
from tests.support.machine import LAPTOP, TOWER, On
from tests.support.mail import post, states
from tests.support.syncthing import Start
from tests.support.wait import until

OTHER = "-".join(["ABCDEFG"] * 8)


def test_a_set_up_makes_the_folder_as_mail_wants_it_and_again_changes_nothing(where: Tree, start: Start) -> None:
    one = start("one")
    words = ("sync", "setup", "--syncthing-home", str(one.home), "--mailboxes", where.path)
    done = command(*words)
    assert done.returncode == 0, done.stderr
    folder = one.api.get("/rest/config/folders/ai-bridge")
    assert os.path.realpath(folder["path"]) == os.path.realpath(where.path)
    wanted = {"type": "sendreceive", "fsWatcherEnabled": True, "fsWatcherDelayS": 1, "ignorePerms": True}
    assert {name: folder[name] for name in wanted} == wanted
    ignored = one.api.get("/rest/db/ignores", folder="ai-bridge")["ignore"]
    assert "(?d)/*-outbox/.tmp" in ignored
    memory = Path(memory_of(nudge.FOLDER, where.path))
    assert stat.S_IMODE(memory.stat().st_mode) == 0o600
    assert json.loads(memory.read_text())["folder"] == "ai-bridge"
    again = command(*words)
    assert again.stdout.splitlines()[:1] == [line for line in done.stdout.splitlines() if "is the device" in line]
    assert one.api.get("/rest/db/ignores", folder="ai-bridge")["ignore"] == ignored
    assert "shared with no other machine" in command("sync", "--mailboxes", where.path).stdout


def test_settings_that_keep_mail_from_flowing_are_set(where: Tree, start: Start) -> None:
    one = start("one")
    slow = {"id": "mine", "path": where.path, "type": "receiveonly", "fsWatcherDelayS": 10, "paused": True}
    one.api.post("/rest/config/folders", slow)
    said = list(set_up(where, one.api, [], [], "ai-bridge"))
    assert any(sentence.startswith("type=sendreceive was set in Syncthing's folder mine") for sentence in said)
    folder = one.api.get("/rest/config/folders/mine")
    assert setup.unfit(setup.Shared(folder, "")) == []


def test_a_folder_that_holds_more_is_told_of_and_left(where: Tree, start: Start, tmp_path: Path) -> None:
    one = start("one")
    parent = {"id": "all", "path": str(tmp_path), "type": "sendreceive", "fsWatcherDelayS": 10}
    one.api.post("/rest/config/folders", parent)
    before = one.api.get("/rest/config/folders/all")
    said = list(set_up(where, one.api, [], [], "ai-bridge"))
    assert any("is yours to set, for the folder holds more than mail" in sentence for sentence in said)
    assert one.api.get("/rest/config/folders/all") == before
    assert "(?d)/mailboxes/*-outbox/.tmp" in one.api.get("/rest/db/ignores", folder="all")["ignore"]
    place = nudge.place(where.path)
    assert place is not None
    assert (place.folder, place.prefix) == ("all", "mailboxes")


def test_an_id_that_another_folder_has_is_refused(where: Tree, start: Start, tmp_path: Path) -> None:
    one = start("one")
    one.api.post("/rest/config/folders", {"id": "ai-bridge", "path": str(tmp_path / "other")})
    with pytest.raises(FolderElsewhere, match="give another ID with --folder"):
        list(set_up(where, one.api, [], [], "ai-bridge"))


def test_the_id_of_a_new_folder_follows_the_name_of_the_mailboxes(tmp_path: Path) -> None:
    names = {"mailboxes": "ai-bridge", "Team Mail": "ai-bridge-team-mail", "..": None, "日本": "ai-bridge"}
    for name, expected in names.items():
        found = default_folder(Tree(str(tmp_path / name)))
        assert expected in (None, found)


def test_mail_crosses_to_another_machine_and_nothing_half_written_does(
    where: Tree, start: Start, on: On, tmp_path: Path
) -> None:
    one, two = start("one"), start("two")
    there = Tree(str(tmp_path / "there"))
    on(LAPTOP)
    first = command(
        *("sync", "setup", "--syncthing-home", str(one.home), "--folder", "mail"),
        *("--with", two.id.lower(), "--address", two.address, "--mailboxes", where.path),
    )
    assert first.returncode == 0, first.stderr
    on(TOWER)
    there.make([])
    second = command(
        *("sync", "setup", "--syncthing-home", str(two.home), "--folder", "mail"),
        *("--with", one.id, "--address", one.address, "--mailboxes", there.path),
    )
    assert second.returncode == 0, second.stderr
    on(LAPTOP)
    until(lambda: (found := status.status_of(where)) is not None and found.connected and not found.troubles, 60)
    Path(where.outbox("claude").path, TEMPORARY, "half.txt").write_text("half")
    id_ = post(where)
    nudge.forget()
    nudge.add(where.path, where.outbox("claude").file(DROPPED, f"{id_}.gemini.txt"))
    nudge.flush(answer=True)
    until(lambda: states(there, "claude").get(DROPPED) == [f"{id_}.gemini.txt"], 60)
    assert status.is_all_out(where, 30.0)
    assert not Path(there.outbox("claude").path, TEMPORARY, "half.txt").exists()
    assert "1 of 1 machines connected, in step" in command("sync", "--mailboxes", where.path).stdout
    told = json.loads(command("sync", "--json", "--mailboxes", where.path).stdout)
    assert (len(told["machines"]), told["connected"], told["troubles"]) == (1, told["machines"], [])


def test_a_device_that_is_there_gets_an_address_and_keeps_its_name(where: Tree, start: Start) -> None:
    one = start("one")
    one.api.put(f"/rest/config/devices/{one.id}", one.api.get(f"/rest/config/devices/{one.id}"))
    valid = start("two").id
    one.api.post("/rest/config/devices", {"deviceID": valid, "name": "the mini", "addresses": ["dynamic"]})
    list(set_up(where, one.api, [valid], ["tcp://127.0.0.1:9"], "ai-bridge"))
    device = one.api.get(f"/rest/config/devices/{valid}")
    assert (device["name"], device["addresses"]) == ("the mini", ["tcp://127.0.0.1:9", "dynamic"])
    folder = one.api.get("/rest/config/folders/ai-bridge")
    assert {entry["deviceID"] for entry in folder["devices"]} == {one.id, valid}
    said = list(set_up(where, one.api, [valid, one.id], [], "ai-bridge"))
    assert len(said) == 1


def test_a_syncthing_that_ended_is_a_trouble(where: Tree, start: Start) -> None:
    one = start("one")
    list(set_up(where, one.api, [], [], "ai-bridge"))
    one.end()
    found = status.status_of(where)
    assert found is not None
    assert "is it running?" in found.troubles[0]
    assert shutil.which("syncthing")
    assert not status.is_all_out(where, 0.1)
