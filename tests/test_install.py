"""install and uninstall: what stands where a client reads is shown, kept, asked about, and left as it was found."""

from __future__ import annotations

import errno
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import frontmatter
import pytest

from ai_bridge import durable, install
from ai_bridge.cli.main import bridge
from ai_bridge.install import CLIENTS, CannotChange
from ai_bridge.server.tools import tools
from tests.conftest import ROOT, command
from tests.faults.disk import FaultyOs
from tests.test_cli_send import refused

SHIPPED = ROOT / "ai_bridge/skills/advisor/SKILL.md"
VARIABLES = {"claude": "CLAUDE_CONFIG_DIR", "gemini": "GEMINI_CLI_HOME", "codex": "CODEX_HOME"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own and, as working directory, a place with no mailboxes in reach."""
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    before = os.umask(0o022)
    yield tmp_path / "home"
    os.umask(before)


def _skill(base: Path, client: str) -> Path:
    return base / f".{client}" / "skills" / "advisor" / "SKILL.md"


def _told(*words: str) -> list[tuple[object, object, object]]:
    """Run the command; returns client, path and action of each object, which holds nothing else."""
    done = command(*words, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(list(line) == ["client", "path", "action"] for line in lines)
    return [tuple(line.values()) for line in lines]


def _tree(path: Path) -> dict[str, bytes | None]:
    """Return everything below, with each file's content and where each link leads."""
    found = sorted(path.rglob("*"))
    return {
        str(entry.relative_to(path)): os.fsencode(os.readlink(entry))
        if entry.is_symlink()
        else entry.read_bytes()
        if entry.is_file()
        else None
        for entry in found
    }


def _changed(home: Path, client: str, content: bytes = b"mine\n") -> Path:
    """Put other content where the client's skill goes."""
    path = _skill(home, client)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


# --- install ----------------------------------------------------------------------------------------------


def test_a_new_skill_is_written_for_every_client(home: Path) -> None:
    done = command("install", "all")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "".join(f"{client}: written {_skill(home, client)}\n" for client in CLIENTS)
    for client in CLIENTS:
        skill = _skill(home, client)
        assert skill.read_bytes() == SHIPPED.read_bytes()
        assert skill.stat().st_mode & 0o777 == 0o644
        assert {parent.stat().st_mode & 0o777 for parent in skill.parents[:3]} == {0o755}


@pytest.mark.parametrize("client", CLIENTS)
def test_one_client_is_written_and_again_nothing_is(home: Path, client: str) -> None:
    skill = _skill(home, client)
    assert _told("install", client) == [(client, str(skill), "written")]
    before, seen = _tree(home), skill.stat()
    assert _told("install", client) == [(client, str(skill), "unchanged")]
    assert (_tree(home), skill.stat().st_mtime_ns) == (before, seen.st_mtime_ns)


@pytest.mark.parametrize(
    ("client", "below"), [("claude", "skills"), ("gemini", ".gemini/skills"), ("codex", "skills")]
)
def test_the_clients_own_variable_moves_the_users_folder_and_no_projects(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: str, below: str
) -> None:
    monkeypatch.setenv(VARIABLES[client], str(tmp_path / "moved"))
    moved, here = tmp_path / "moved" / below / "advisor/SKILL.md", _skill(tmp_path / "here", client)
    assert _told("install", client) == [(client, str(moved), "written")]
    assert _told("install", client, "--scope", "project") == [(client, str(here), "written")]
    assert _told("uninstall", client) == [(client, str(moved), "removed")]
    assert _tree(tmp_path / "moved") == {}
    assert _tree(home) == {}


@pytest.mark.parametrize("mark", [".git", ".claude", ".gemini", ".codex"])
def test_a_project_is_found_from_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mark: str) -> None:
    deep = tmp_path / "project" / "deep" / "down"
    deep.mkdir(parents=True)
    (tmp_path / "project" / mark).mkdir()
    monkeypatch.chdir(deep)
    wanted = [(client, str(_skill(tmp_path / "project", client)), "written") for client in CLIENTS]
    assert _told("install", "all", "--scope", "project") == wanted


def test_the_home_is_no_project_whatever_it_holds(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "work").mkdir()
    (home / ".claude").mkdir()
    monkeypatch.chdir(home / "work")
    assert _told("install", "codex", "--scope", "project")[0][1] == str(_skill(home / "work", "codex"))


def test_a_deleted_working_directory_has_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(CannotChange, match="the working directory was deleted"):
        install.plan("install", ["claude"], "project")


def test_no_mailboxes_are_needed(home: Path) -> None:
    assert _told("install", "codex", "--mailboxes", "/nowhere")[0][2] == "written"
    assert _told("uninstall", "codex", "--mailboxes", "/nowhere")[0][2] == "removed"


# --- files with other content -----------------------------------------------------------------------------


@pytest.mark.parametrize(("verb", "word"), [("install", "replace"), ("uninstall", "remove")])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_without_a_terminal_a_changed_file_is_refused_and_nothing_is_done(
    home: Path, verb: str, word: str, options: tuple[str, ...]
) -> None:
    command("install", "claude")
    path = _changed(home, "gemini")
    before = _tree(home)
    refused(command(verb, "all", *options), f"{path} exists with other content", f"use --yes to {word} it")
    assert _tree(home) == before


def test_with_yes_a_changed_file_is_shown_and_replaced_and_its_backup_kept(home: Path) -> None:
    path = _changed(home, "claude")
    path.chmod(0o600)
    done = command("install", "claude", "--yes")
    assert f"--- {path}\n+++ ai-bridge\n" in done.stdout
    assert "\n-mine\n+---\n+name: advisor\n" in done.stdout
    assert done.stdout.endswith(f"\nclaude: replaced {path} (before: {path}.bak)\n")
    assert path.read_bytes() == SHIPPED.read_bytes()
    assert Path(f"{path}.bak").read_text() == "mine\n"
    assert {entry.stat().st_mode & 0o777 for entry in path.parent.iterdir()} == {0o600}


def test_no_backup_replaces_an_older_one(home: Path) -> None:
    path = _changed(home, "claude", b"first")
    for content in (b"first", b"second", b"third"):
        path.write_bytes(content)
        assert _told("install", "claude", "--yes") == [("claude", str(path), "replaced")]
    kept = {entry.name: entry.read_bytes() for entry in path.parent.iterdir() if entry != path}
    assert kept == {"SKILL.md.bak": b"first", "SKILL.md.bak1": b"second", "SKILL.md.bak2": b"third"}


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"no line feed", "-no line feed\n\\ No newline at end of file\n"),
        (b"carriage\r\n", "-carriage\\r\n"),
        (b"\x1b[31mred\n", "-\\x1b[31mred\n"),
        (b"\xff\xfe\n", "-\ufffd\ufffd\n"),
        (b"", "@@ -0,0 +1,"),
    ],
)
def test_whatever_a_file_holds_its_difference_is_shown_safely(home: Path, content: bytes, shown: str) -> None:
    path = _changed(home, "gemini", content)
    done = command("install", "gemini", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert shown in done.stdout
    assert Path(f"{path}.bak").read_bytes() == content


def test_a_link_gives_way_to_the_file_and_what_it_led_to_is_left_alone(home: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.md").write_text("of another")
    path = _changed(home, "codex")
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere.md")
    refused(command("install", "codex"), f"{path} exists with other content")
    assert _told("install", "codex", "--yes") == [("codex", str(path), "replaced")]
    assert not path.is_symlink()
    assert (tmp_path / "elsewhere.md").read_text() == Path(f"{path}.bak").read_text() == "of another"


# --- on a terminal ----------------------------------------------------------------------------------------


def _answered(answer: bytes, *words: str) -> tuple[int, str]:
    """Run the command on a terminal where somebody types; returns its exit code and all it showed."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer)
        done = subprocess.run(
            [sys.executable, "-m", "ai_bridge", *words], stdin=theirs, stdout=theirs, stderr=theirs, timeout=60
        )
        os.write(theirs, b"\0")
        shown = b""
        while not shown.endswith(b"\0"):
            shown += os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)
    return done.returncode, shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(("verb", "left"), [("install", SHIPPED.read_bytes()), ("uninstall", None)])
def test_on_a_terminal_who_agrees_is_shown_the_difference_and_served(
    home: Path, verb: str, left: bytes | None
) -> None:
    path = _changed(home, "gemini", SHIPPED.read_bytes() + b"mine\n")
    code, shown = _answered(b"y\n", verb, "gemini")
    assert code == 0
    assert f"{'-' if verb == 'install' else '+'}mine\n" in shown
    assert f"{path} (a backup is kept)? [y/N]: " in shown
    assert (path.read_bytes() if path.exists() else None) == left
    assert Path(f"{path}.bak").read_bytes() == SHIPPED.read_bytes() + b"mine\n"


@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_on_a_terminal_who_does_not_agree_keeps_everything(home: Path, verb: str) -> None:
    _changed(home, "codex")
    before = _tree(home)
    code, shown = _answered(b"\n", verb, "all")
    assert code == 1
    assert "exists with other content, so nothing was changed" in shown
    assert _tree(home) == before


def test_on_a_terminal_json_is_asked_nothing(home: Path) -> None:
    _changed(home, "codex")
    code, shown = _answered(b"y\n", "install", "codex", "--json")
    assert code == 1
    assert "[y/N]" not in shown


# --- dry run ----------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_would_be_done_and_does_nothing(home: Path) -> None:
    command("install", "claude")
    path = _changed(home, "gemini")
    before = _tree(home)
    actions = {"claude": "unchanged", "gemini": "would-replace", "codex": "would-write"}
    assert {client: action for client, _, action in _told("install", "all", "--dry-run")} == actions
    actions = {"claude": "would-remove", "gemini": "would-remove", "codex": "absent"}
    assert {client: action for client, _, action in _told("uninstall", "all", "--dry-run")} == actions
    shown = command("install", "all", "--dry-run").stdout
    assert f"--- {path}\n+++ ai-bridge\n" in shown
    assert f"codex: would-write {_skill(home, 'codex')}\n" in shown
    assert _tree(home) == before


# --- uninstall --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["user", "project"])
def test_uninstall_leaves_the_place_as_it_was_before_install(home: Path, tmp_path: Path, scope: str) -> None:
    base = {"user": home, "project": tmp_path / "here"}[scope]
    (base / ".claude" / "skills" / "other").mkdir(parents=True)
    (base / ".gemini").mkdir()
    (base / ".gemini" / "settings.json").write_text("{}")
    before = _tree(base)
    command("install", "all", "--scope", scope)
    wanted = [(client, str(_skill(base, client)), "removed") for client in CLIENTS]
    assert _told("uninstall", "all", "--scope", scope) == wanted
    assert _tree(base) == before
    assert {action for _, _, action in _told("uninstall", "all", "--scope", scope)} == {"absent"}


def test_a_changed_file_is_removed_with_yes_and_its_backup_kept(home: Path) -> None:
    path = _changed(home, "codex")
    done = command("uninstall", "codex", "--yes")
    assert f"--- ai-bridge\n+++ {path}\n" in done.stdout
    assert done.stdout.endswith(f"\ncodex: removed {path} (before: {path}.bak)\n")
    assert {entry.name: entry.read_text() for entry in path.parent.iterdir()} == {"SKILL.md.bak": "mine\n"}


def test_a_link_to_a_directory_is_not_removed_with_what_it_holds(home: Path, tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (home / ".claude").mkdir()
    (home / ".claude" / "skills").symlink_to(tmp_path / "dotfiles")
    before = _tree(home)
    command("install", "claude")
    assert (tmp_path / "dotfiles" / "advisor" / "SKILL.md").is_file()
    assert _told("uninstall", "claude")[0][2] == "removed"
    assert _tree(home) == before
    assert _tree(tmp_path / "dotfiles") == {}


# --- what cannot be done ----------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["install", "uninstall"])
@pytest.mark.parametrize("kind", ["directory", "link to nothing", "fifo"])
def test_what_is_no_regular_file_is_refused(home: Path, verb: str, kind: str) -> None:
    path = _changed(home, "claude")
    path.unlink()
    {"directory": path.mkdir, "link to nothing": lambda: path.symlink_to("gone"), "fifo": lambda: os.mkfifo(path)}[
        kind
    ]()
    refused(command(verb, "claude", "--yes"), f"{path} cannot be changed (it is no regular file)")


def test_what_cannot_be_written_is_told_in_one_sentence_after_what_was_done(home: Path) -> None:
    (home / ".gemini").write_text("a file where a directory belongs")
    done = command("install", "all")
    assert (done.returncode, done.stdout) == (1, f"claude: written {_skill(home, 'claude')}\n")
    assert re.fullmatch(r"error: \S+ cannot be changed \(Not a directory\): [^\n]+\n", done.stderr)
    assert _skill(home, "claude").exists()
    assert not _skill(home, "codex").exists()


@pytest.mark.parametrize(
    ("call", "number"), [("mkdir", errno.EROFS), ("open", errno.EACCES), ("write", errno.ENOSPC)]
)
def test_a_disk_that_refuses_leaves_no_part_of_a_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    monkeypatch.setattr(durable, "os", FaultyOs({call: number}))
    steps = install.plan("install", ["claude"], "user")
    with pytest.raises(
        CannotChange, match=re.escape(f"{_skill(home, 'claude')} cannot be changed ({os.strerror(number)})")
    ):
        list(install.carry_out(steps))
    assert not any(path.is_file() for path in home.rglob("*"))


def test_a_file_is_kept_where_no_backup_can_be_made(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _changed(home, "claude")
    monkeypatch.setattr(durable, "os", FaultyOs({"write": errno.ENOSPC}))
    for verb in ("install", "uninstall"):
        with pytest.raises(CannotChange):
            list(install.carry_out(install.plan(verb, ["claude"], "user")))
    assert _tree(path.parent) == {"SKILL.md": b"mine\n"}


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_a_file_that_may_not_be_read_is_refused(home: Path) -> None:
    path = _changed(home, "claude")
    path.chmod(0)
    refused(command("install", "claude", "--yes"), f"{path} cannot be changed (Permission denied)")


@pytest.mark.parametrize("words", [(), ("aider",), ("claude", "gemini"), ("claude", "--scope", "world")])
@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_an_unknown_client_or_scope_is_a_usage_error(home: Path, verb: str, words: tuple[str, ...]) -> None:
    done = command(verb, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"Usage: ai-bridge {verb} " in done.stderr
    assert _tree(home) == {}


# --- the skill --------------------------------------------------------------------------------------------


def test_the_skill_has_the_form_that_clients_accept() -> None:
    """Source of the limits: agentskills.io/specification."""
    skill = frontmatter.load(str(SHIPPED))
    assert list(skill.metadata) == ["name", "description"]
    assert skill["name"] == SHIPPED.parent.name == "advisor"
    assert 0 < len(str(skill["description"])) <= 1024
    assert len(SHIPPED.read_bytes()) <= 6000


def test_the_skill_names_only_tools_and_arguments_that_exist() -> None:
    known = {tool.name: set(tool.input_schema["properties"]) for tool in tools(["gemini"])}
    text = SHIPPED.read_text()
    calls = re.findall(r"\b(\w+_\w+)\(([^()]*)\)", text)
    assert {name for name, _ in calls} | set(re.findall(r"\bpeer_\w+", text)) <= set(known)
    assert {"peer_send", "peer_wait", "peer_read", "peer_status"} <= {name for name, _ in calls}
    for name, words in calls:
        given = set(re.findall(r"\b(\w+)=", re.sub(r'"[^"]*"', "", words)))
        assert given <= known[name] | _COMING.get(name, set()), name


# What the skill may name before the tools have it.
_COMING = {"peer_send": {"context", "decide", "voters"}, "peer_status": {"thread"}}


def test_the_skill_names_only_commands_that_exist() -> None:
    named = set(re.findall(r"`ai-bridge ([a-z-]+)", SHIPPED.read_text()))
    assert named <= {*bridge.lazy, "decisions"}  # type: ignore[attr-defined]
