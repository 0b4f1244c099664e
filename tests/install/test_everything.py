"""uninstall --everything: nothing of ours is left outside of projects, nothing of anybody else's goes, it asks."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ai_bridge import clients
from ai_bridge.install import everything
from ai_bridge.mailboxes import adoption, find, marker
from ai_bridge.mailboxes.outbox import UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router import control, systemd
from ai_bridge.system import durable
from ai_bridge.system.directories import config_base, state_base
from ai_bridge.system.locks import Lock
from tests.support.command import command, on_terminal, refused
from tests.support.mail import states
from tests.support.wait import until

ALL = ("uninstall", "--everything")
_OTHER_OPTIONS = ("--scope project", "--agent claude", "--mailboxes m")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own with a file of a client, the clients' commands, and a systemd that notes its orders."""
    monkeypatch.delenv("AI_BRIDGE_STATE")
    for name in ("home/.gemini", "project", "bin"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "home" / ".gemini" / "settings.json").write_text('{"theme": "dark"}\n')
    for client in clients.registrable():
        (tmp_path / "bin" / client.program).write_text("")
    (tmp_path / "bin" / "systemctl").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/orders\n')
    for program in (tmp_path / "bin").iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path / "project")
    yield tmp_path / "home"
    for path in (find.user_wide(), str(tmp_path / "project" / "mailboxes")):
        if os.path.isdir(path):
            with suppress(marker.NewerFormat):
                control.stop(Tree(path))


def _listing(path: Path) -> dict[str, object]:
    """Return everything below: each file's content, and where each link leads."""
    return {
        str(entry.relative_to(path)): os.readlink(entry)
        if entry.is_symlink()
        else entry.read_bytes()
        if entry.is_file()
        else entry.stat().st_mode & 0o777
        for entry in sorted(path.rglob("*"))
    }


def _kept(home: Path) -> list[dict[str, object]]:
    """Return the listings of all folders but that of the state, which a router that runs changes."""
    return [_listing(folder) for folder in (*sorted(home.glob(".[cg]*")), home / ".local" / "share")]


def _done(*words: str, body: str = "") -> str:
    done = command(*words, body=body)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _use(is_running: bool = False) -> str:
    """Register with all clients, make the user's own mailboxes, send a message; returns the mailboxes' path."""
    own = find.user_wide()
    _done("install", "all", "--trust-hooks")
    _done("init", "claude", "gemini", "--mailboxes", own)
    _done("send", "gemini", "--from", "claude", "--mailboxes", own, body="hi")
    _done("install-service", "--mailboxes", own)
    if is_running:
        _done("start", "--mailboxes", own)
        until(lambda: UNREAD in states(Tree(own), "claude"))
    return own


def _pids(path: str) -> list[int]:
    return [router.holder.pid for router in control.running(Tree(path))]


# --- no trace ---------------------------------------------------------------------------------------------


def test_after_it_the_home_is_as_it_was_before_the_first_install(home: Path, tmp_path: Path) -> None:
    before = _listing(home)
    own = _use()
    assert set(before) < set(_listing(home))
    _done("start", "--mailboxes", own)
    assert _pids(own)
    unit = Path(*systemd.written())
    shown = _done(*ALL, "--yes")
    assert _listing(home) == before
    assert f"to remove: mailboxes {own} with 1 message, 1 of them not read\n" in shown
    assert f"to remove: service {unit}\n" in shown
    orders = (tmp_path / "orders").read_text().splitlines()
    assert orders == [f"--user disable --now {unit.name}", "--user daemon-reload"]
    assert _done(*ALL, "--yes").startswith("to remove: the registrations with all clients\nclaude: absent ")
    assert _listing(home) == before


def test_folders_that_variables_name_stay_and_nothing_of_ours_in_them(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("config", "data", "state"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / name))
    before = _listing(tmp_path)
    _use()
    assert (tmp_path / "data" / "ai-bridge" / "mailboxes").is_dir()
    _done(*ALL, "--yes")
    assert {**_listing(tmp_path), "orders": 0} == {**before, "orders": 0}


def test_it_works_without_systemd_and_removes_the_link_that_enabled_the_unit(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _listing(home)
    _use()
    (unit,) = map(Path, systemd.written())
    (unit.parent / "default.target.wants").mkdir()
    (unit.parent / "default.target.wants" / unit.name).symlink_to(unit)
    (tmp_path / "bin" / "systemctl").unlink()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    _done(*ALL, "--yes")
    assert _listing(home) == before


@pytest.mark.parametrize("parts", range(6))
def test_a_run_that_died_after_any_part_can_be_repeated(home: Path, parts: int) -> None:
    before = _listing(home)
    _use()
    for part in [*everything.at_work(), *everything.folders()][:parts]:
        part.take_out()
    _done(*ALL, "--yes")
    assert _listing(home) == before


def test_own_mailboxes_that_are_half_removed_are_still_removed(home: Path) -> None:
    before = _listing(home)
    own = Path(_use())
    for name in ("README.md", marker.NAME):
        (own / name).unlink()
    for outbox in own.glob("*-outbox"):
        outbox.rename(own / "no-longer-one")
        break
    for outbox in own.glob("*-outbox"):
        outbox.rename(own / "nor-this")
    _done(*ALL, "--yes")
    assert _listing(home) == before


# --- what stays -------------------------------------------------------------------------------------------


def test_a_projects_mailboxes_stay_and_are_named_and_their_router_stops(home: Path, tmp_path: Path) -> None:
    _use()
    project = str(tmp_path / "project" / "mailboxes")
    _done("init", "claude")
    _done("start")
    assert _pids(project)
    before = _listing(tmp_path / "project")
    shown = _done(*ALL, "--yes")
    assert f"stays: mailboxes {project} of a project; by hand: `rm -r {project}`\n" in shown
    assert _pids(project) == []
    assert _listing(tmp_path / "project") == before


def test_a_unit_that_somebody_else_wrote_stays(home: Path) -> None:
    _use()
    theirs = Path(systemd.written()[0]).with_name("ai-bridge-of-mine.service")
    theirs.write_text("[Unit]\nDescription=mine\n")
    _done(*ALL, "--yes")
    assert [path.name for path in theirs.parent.iterdir()] == [theirs.name]


def _failed(*words: str) -> str:
    """Run it; returns its one sentence, because one part had trouble."""
    done = command(*ALL, "--yes", *words)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "all of this is taken out" not in done.stdout
    return line


def test_own_mailboxes_that_are_a_link_stay_and_all_else_goes(home: Path, tmp_path: Path) -> None:
    own = Path(_use())
    own.rename(tmp_path / "elsewhere")
    own.symlink_to(tmp_path / "elsewhere")
    before = _listing(tmp_path / "elsewhere")
    assert _failed() == (
        f"error: {own} stays, because it is a symbolic link to {tmp_path / 'elsewhere'}: remove both by hand"
    )
    assert (_listing(tmp_path / "elsewhere"), own.is_symlink()) == (before, True)
    assert [os.path.exists(path) for path in (config_base(), state_base())] == [False, False]
    assert systemd.written() == []


def test_own_mailboxes_of_a_newer_program_stay_and_all_else_goes(home: Path) -> None:
    own = Path(_use())
    (own / f".format-{marker.FORMAT + 1}").touch()
    before = _listing(own)
    done = command(*ALL, "--yes")
    assert done.returncode == 1
    assert set(done.stderr.splitlines()) == {
        f"error: {marker.NewerFormat(path=str(own), number=marker.FORMAT + 1, known=marker.FORMAT)}"
    }
    assert _listing(own) == before
    assert [os.path.exists(path) for path in (config_base(), state_base())] == [False, False]


@pytest.mark.parametrize("named", ["home", "root", "above"])
def test_a_state_directory_that_holds_the_home_is_never_removed(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    path = {"home": home, "root": Path("/"), "above": tmp_path}[named]
    (tmp_path / "locks").mkdir()
    (home / "locks").mkdir()
    before = _listing(home)
    monkeypatch.setenv("AI_BRIDGE_STATE", str(path))
    assert _failed().startswith(f"error: {path} stays, because your home is in it")
    assert (_listing(home), (tmp_path / "locks").is_dir()) == (before, True)


def test_of_a_state_directory_that_holds_other_things_only_the_state_goes(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "some"
    (state / "thesis").mkdir(parents=True)
    (state / "locks-of-mine").write_text("x")
    before = _listing(state)
    monkeypatch.setenv("AI_BRIDGE_STATE", str(state))
    _use()
    assert len(_listing(state)) > len(before)
    assert "it also holds what ai-bridge did not make (locks-of-mine)" in _failed()
    assert _listing(state) == before


def test_a_state_directory_is_known_as_ours_until_the_last_of_it_is_gone(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "some"
    state.mkdir()
    (state / "thesis").write_text("x")
    monkeypatch.setenv("AI_BRIDGE_STATE", str(state))
    _use(is_running=True)
    control.stop(Tree(find.user_wide()))
    part = everything.folders()[-1]
    remove_tree = durable.remove_tree

    def die_late(path: str) -> None:
        if path.endswith("issued"):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        remove_tree(path)

    with monkeypatch.context() as patched:
        patched.setattr(durable, "remove_tree", die_late)
        with pytest.raises(OSError, match="Input/output"):
            part.take_out()
    assert (state / "issued").is_dir()
    with pytest.raises(everything.Stays, match="also holds what ai-bridge did not make"):
        part.take_out()
    assert [path.name for path in state.iterdir()] == ["thesis"]


def test_a_directory_without_our_state_is_left_as_it_is(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    for name in ("thesis", "locks", "notes-12345678"):
        (other / name).mkdir(parents=True)
    (other / "home").write_text("sweet home is no machine's ID!\n")
    (other / "thesis" / "text").write_text("x")
    before = _listing(other)
    monkeypatch.setenv("AI_BRIDGE_STATE", str(other))
    assert "it holds other things" in _failed()
    assert _listing(other) == before


def test_a_state_directory_of_ours_that_is_named_goes_whole(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / "state"))
    before = _listing(home)
    _use(is_running=True)
    assert (tmp_path / "state").is_dir()
    _done(*ALL, "--yes")
    assert (_listing(home), (tmp_path / "state").exists()) == (before, False)


def test_a_sessions_server_that_runs_is_named_and_not_ended(home: Path) -> None:
    own = _use()
    with Lock(Tree(own).lock_file("session", "claude")) as lock:
        assert lock.acquire("session", "claude")
        done = command(*ALL, "--yes")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"warning: session, pid {os.getpid()}, since ")
    assert line.endswith(" (claude) still runs, and may write state again: end it")
    assert (done.returncode, os.path.exists(state_base())) == (0, False)


# --- asking -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_without_a_terminal_and_without_yes_it_refuses_before_anything_is_changed(
    home: Path, words: tuple[str, ...]
) -> None:
    own = _use(is_running=True)
    before, pids = _kept(home), _pids(own)
    refused(command(*ALL, *words), "nothing was changed", "--yes")
    assert (_kept(home), _pids(own)) == (before, pids)


def test_a_clients_shell_is_refused(home: Path) -> None:
    _use()
    before = _listing(home)
    refused(command(*ALL, "--yes", CLAUDECODE="1"), "is for a person, in a terminal of their own", "CLAUDECODE")
    assert _listing(home) == before


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 1), (b"\n", 1), (b"y\n", 0)])
def test_on_a_terminal_it_shows_what_goes_and_asks(home: Path, answer: bytes, code: int) -> None:
    before = _listing(home)
    own = _use()
    used = _listing(home)
    found, shown = on_terminal(answer, *ALL)
    assert found == code
    assert f"to remove: mailboxes {own} with 1 message, 1 of them not read\n" in shown
    assert "Take all of this out? [y/N]: " in shown
    assert ("error: nothing was changed" in shown) == bool(code)
    assert _listing(home) == (used if code else before)


def test_a_dry_run_says_what_would_go_and_changes_nothing(home: Path) -> None:
    own = _use(is_running=True)
    before, pids = _kept(home), _pids(own)
    assert f"to remove: mailboxes {own} with 1 message, 1 of them not read\n" in _done(*ALL, "--dry-run")
    lines = [json.loads(line) for line in _done(*ALL, "--dry-run", "--json").splitlines()]
    told = [(line["what"], line["action"]) for line in lines if "note" in line]
    assert told == [
        ("service", "would-remove"),
        ("routers of", "would-stop"),
        ("mailboxes", "would-remove"),
        ("settings", "would-remove"),
        ("state", "would-remove"),
    ]
    assert (_kept(home), _pids(own)) == (before, pids)


def test_it_says_if_other_machines_lose_the_mail_too(home: Path) -> None:
    own = Path(_use())
    (own / "presence").mkdir()
    (own / "presence" / "tower-12345678.md").write_text("---\n---\n")
    assert f"mailboxes {own} with 1 message, 1 of them not read; other machines lose them too\n" in _done(
        *ALL, "--yes"
    )


@pytest.mark.parametrize("line", ["", "all --everything", *map("--everything {}".format, _OTHER_OPTIONS)])
def test_what_does_not_go_together_is_refused(home: Path, line: str) -> None:
    done = command("uninstall", *line.split(), "--dry-run")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--everything" in done.stderr


def test_adopted_mailboxes_are_listed_while_they_are_there(home: Path, tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("b", "a\nb", "gone")]
    for path in paths:
        Tree(path).make(["claude"])
        assert adoption.adopt(path)
    os.rename(paths[2], str(tmp_path / "moved"))
    assert adoption.adopted() == sorted(paths[:2])
