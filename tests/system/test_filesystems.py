"""The file system of the mailboxes, from the kernel's table; a share that is not mounted is refused until it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes.find import find_mailboxes
from ai_bridge.mailboxes.outbox import DROPPED, UNREAD
from ai_bridge.mailboxes.share import ShareIsGone
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.daemon import Daemon
from ai_bridge.settings import Settings
from ai_bridge.system import filesystems, untrusted
from ai_bridge.system.directories import memory_of
from ai_bridge.system.filesystems import FileSystem, file_system, is_shared, sync_tool
from tests.support.command import command
from tests.support.mail import post, states
from tests.support.mounts import mounted, table
from tests.support.wait import until

# --- the table --------------------------------------------------------------------------------------------

NETWORK = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "9p",
    "fuse.sshfs",
    "fuse.juicefs",
    "fuse",
    "virtiofs",
    "ceph",
    "fuse.rclone",
]
LOCAL = [
    "ext4",
    "xfs",
    "btrfs",
    "tmpfs",
    "overlay",
    "fuseblk",
    "fuse.ntfs-3g",
    "fuse.fuse-overlayfs",
    "vfat",
    "zfs",
    "",
]


@pytest.mark.parametrize("type_", NETWORK + LOCAL)
def test_of_some_file_systems_other_machines_see_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: str
) -> None:
    table(tmp_path, monkeypatch, mounted(type_, "/mnt/team"))
    found = file_system("/mnt/team/mailboxes")
    assert (found.type, found.source, found.mounted_at) == (type_, "srv:/x", "/mnt/team")
    assert found.is_network == (type_ in NETWORK)
    assert str(found) == f"{type_} (srv:/x)"


def test_of_several_mounts_the_nearest_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(
        tmp_path,
        monkeypatch,
        mounted("nfs4", "/mnt"),
        mounted("ext4", "/mnt/a", "/dev/a"),
        mounted("cifs", "/mnt/a/b"),
    )
    found = [
        file_system(path).type for path in ("/mnt", "/mnt/x", "/mnt/ab", "/mnt/a", "/mnt/a/c", "/mnt/a/b/c", "/m")
    ]
    assert found == ["nfs4", "nfs4", "nfs4", "ext4", "ext4", "cifs", "ext4"]


def test_of_two_mounts_at_one_place_the_later_hides_the_earlier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table(tmp_path, monkeypatch, mounted("autofs", "/mnt", "systemd-1"), mounted("nfs4", "/mnt"))
    assert file_system("/mnt/x").type == "nfs4"
    table(tmp_path, monkeypatch, mounted("nfs4", "/mnt"), mounted("tmpfs", "/mnt", "tmpfs"))
    assert file_system("/mnt/x").type == "tmpfs"


def test_blanks_and_backslashes_are_escaped_by_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = mounted("cifs", "/mnt/my\\040share\\134x", "//srv/our\\040files")
    table(tmp_path, monkeypatch, line, mounted("9p", "/mnt/tab\\011line\\012"))
    found = file_system("/mnt/my share\\x/mailboxes")
    assert (found.type, found.source) == ("cifs", "//srv/our files")
    assert file_system("/mnt/tab\tline\n/x").type == "9p"


def test_a_backslash_before_digits_is_a_backslash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(tmp_path, monkeypatch, mounted("nfs4", "/mnt/a\\134040b"))
    assert file_system("/mnt/a\\040b/x").type == "nfs4"


def test_names_that_are_no_text_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path, monkeypatch)
    path.write_bytes(path.read_bytes() + mounted("nfs4", "/mnt/X").encode().replace(b"X", b"\xff\xc3\xbc") + b"\n")
    assert file_system(os.fsdecode(b"/mnt/\xff\xc3\xbc/x")).type == "nfs4"


@pytest.mark.parametrize(
    "line", ["", " - ", "1 2 3 / /mnt - nfs4", "garbage", "99 28 0:52 / /mnt rw nfs4 x", "- - - - - - -"]
)
def test_a_line_that_says_nothing_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    table(tmp_path, monkeypatch, line)
    assert file_system("/mnt/x").type == "ext4"


def test_a_link_is_followed_to_what_it_lies_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "share")
    table(tmp_path, monkeypatch, mounted("nfs4", str(tmp_path / "share")))
    assert file_system(str(tmp_path / "link" / "mailboxes")).is_network


def test_without_a_table_the_kernel_is_asked_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystems, "_MOUNTS", str(tmp_path / "none"))
    monkeypatch.setattr(filesystems, "_known", {})
    assert file_system("/proc").type == ""
    for number, type_ in filesystems._MAGIC.items():
        monkeypatch.setattr(filesystems, "_magic", lambda _, number=number: number)
        assert file_system("/proc").type == type_
    assert FileSystem("fuse").is_network
    assert file_system(str(tmp_path / "gone" / "\udcff")).type


def test_the_real_table_is_understood(tmp_path: Path) -> None:
    assert file_system("/proc").type == "proc"
    assert file_system(str(tmp_path)).type != ""


# --- sync tools -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", sorted(filesystems._SYNC_MARKS))
def test_a_folder_a_tool_keeps_in_step_is_known_by_its_mark(tmp_path: Path, mark: str) -> None:
    deep = tmp_path / "a" / "mailboxes"
    deep.mkdir(parents=True)
    assert not is_shared(str(deep))
    (tmp_path / mark).write_text("")
    assert sync_tool(str(deep)) == filesystems._SYNC_MARKS[mark]
    assert is_shared(str(deep))


def test_the_settings_of_dropbox_in_a_persons_home_mark_nothing(tmp_path: Path) -> None:
    (tmp_path / "home" / "project").mkdir(parents=True)
    (tmp_path / "home" / ".dropbox").mkdir()
    assert sync_tool(str(tmp_path / "home" / "project")) == ""
    (tmp_path / "home" / "project" / ".dropbox").write_text("")
    assert sync_tool(str(tmp_path / "home" / "project")) == "Dropbox"


def test_a_mark_that_leads_nowhere_is_one(tmp_path: Path) -> None:
    (tmp_path / ".stfolder").symlink_to("nowhere")
    assert sync_tool(str(tmp_path)) == "Syncthing"


# --- a share that is not mounted --------------------------------------------------------------------------


@pytest.fixture
def share(where: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Tree that a command met on a share."""
    table(tmp_path, monkeypatch, mounted("nfs4", where.path))
    return find_mailboxes(where.path).tree()


def test_what_lies_where_a_share_was_is_not_believed(
    share: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    id_ = post(share)
    table(tmp_path, monkeypatch)
    with pytest.raises(ShareIsGone, match=r"was on nfs4 \(srv:/x\), and is on ext4 .* now: mount the share"):
        find_mailboxes(share.path)
    with pytest.raises(ShareIsGone):
        Daemon(share, settings).run_once()
    assert list(states(share, "claude")) == [DROPPED]
    table(tmp_path, monkeypatch, mounted("nfs4", share.path, "other:/y"))
    assert find_mailboxes(share.path).path == share.path
    assert id_ in states(share, "claude")[DROPPED][0]


@pytest.mark.parametrize(
    "words",
    ["send gemini --from claude", "read --agent claude", "status", "peers", "router --once", "list --agent claude"],
)
def test_a_command_refuses_a_share_that_is_not_mounted(where: Tree, words: str) -> None:
    memory = Path(memory_of("shares", where.path))
    memory.parent.mkdir(parents=True)
    memory.write_text("nfs4 (srv:/x)")
    done = command(*words.split(), "--mailboxes", where.path, body="hello")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {where.path} was on nfs4 (srv:/x), and is on ")
    assert str(memory) in done.stderr
    memory.unlink()
    assert command("peers", "--mailboxes", where.path).returncode == 0


def test_a_router_outlives_a_share_that_goes_and_comes(where: Tree, processes: list[subprocess.Popen[bytes]]) -> None:
    words = [sys.executable, "-m", "ai_bridge", "router", "--mailboxes", where.path]
    process = subprocess.Popen(words, env={**os.environ, "AI_BRIDGE_SWEEP_S": "0.05"}, stderr=subprocess.PIPE)
    processes.append(process)
    first = post(where)
    until(lambda: f"{first}.gemini.txt" in states(where, "claude").get(UNREAD, []))
    memory = Path(memory_of("shares", where.path))
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text("nfs4 (srv:/x)")
    assert process.stderr is not None
    while b"mount the share" not in process.stderr.readline():
        assert process.poll() is None
    memory.unlink()
    second = post(where)
    until(lambda: f"{second}.gemini.txt" in states(where, "claude").get(UNREAD, []))
    assert process.poll() is None


def test_a_share_that_is_mounted_when_it_is_needed_is_woken(
    share: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    automount = mounted("autofs", share.path, "systemd-1")
    path = table(tmp_path, monkeypatch, automount)
    real = untrusted.listed

    def listed(directory: str) -> list[str]:
        with path.open("a") as file:
            file.write(mounted("nfs4", share.path) + "\n")
        return real(directory)

    monkeypatch.setattr(untrusted, "listed", listed)
    assert share.check() is share


def test_one_shares_memory_is_not_anothers(tmp_path: Path) -> None:
    long = "x" * 70
    paths = [tmp_path / a / long / "mailboxes" for a in ("one", "two")]
    paths += [tmp_path / "a%b", tmp_path / "a" / "b", tmp_path / "a b", tmp_path / "ü"]
    found = {memory_of("shares", str(path)) for path in paths}
    assert len(found) == len(paths)
    assert all(len(os.fsencode(os.path.basename(path))) < 200 for path in found)
    assert len(os.fsencode(os.path.basename(memory_of("shares", "/" + "ü" * 1000)))) < 200
    memory_of("shares", os.fsdecode(b"/\xff/x"))


def test_a_memory_is_found_by_every_spelling_of_a_path(where: Tree, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert Tree(str(tmp_path / "link" / "mailboxes")).memory("synced") == where.memory("synced")


def test_where_a_share_is_agents_without_a_home_are_nobodys(share: Tree) -> None:
    assert Homes(share).are_shared()
    assert Homes(share).refresh(share.agents()) == []


def test_a_damaged_memory_of_a_share_is_none(where: Tree) -> None:
    memory = Path(memory_of("shares", where.path))
    memory.mkdir(parents=True)
    assert where.check() is where
