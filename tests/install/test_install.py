"""install and uninstall: text that a client already has is shown, kept, asked about, and left as it was found."""

from __future__ import annotations

import errno
import json
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import frontmatter
import pytest

from ai_bridge import clients
from ai_bridge.cli.main import bridge
from ai_bridge.install.changes import plan_changes
from ai_bridge.install.entries import Choice
from ai_bridge.install.pieces import pieces
from ai_bridge.install.plan import CannotChange, ChangedMeanwhile, carry_out
from ai_bridge.server.tools import tools
from ai_bridge.system import durable
from tests.support.checkout import ROOT
from tests.support.command import command, on_terminal, refused
from tests.support.disk import FaultyOs

CLIENTS = [client.name for client in clients.registrable()]
SHIPPED = ROOT / "ai_bridge/install/skills/advisor/SKILL.md"
FILES = {
    "claude": (
        ".claude/skills/ai-bridge/skills/advisor/SKILL.md",
        ".claude/skills/ai-bridge/.claude-plugin/plugin.json",
        ".claude/skills/ai-bridge/hooks/hooks.json",
        ".claude/settings.json",
    ),
    "gemini": (".gemini/skills/advisor/SKILL.md", ".gemini/policies/ai-bridge.toml", ".gemini/settings.json"),
    "codex": (".codex/skills/advisor/SKILL.md", ".codex/config.toml", ".codex/hooks.json"),
}
RULE = "mcp__plugin_ai-bridge_ai-bridge"
VARIABLES = {"claude": "CLAUDE_CONFIG_DIR", "gemini": "GEMINI_CLI_HOME", "codex": "CODEX_HOME"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own, the clients' commands and, as working directory, a place with no mailboxes in reach."""
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    for name in ("home", "here", "bin"):
        (tmp_path / name).mkdir()
    for client in CLIENTS:
        (tmp_path / "bin" / client).write_text("")
        (tmp_path / "bin" / client).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path / "here")
    before = os.umask(0o022)
    yield tmp_path / "home"
    os.umask(before)


def _skill(base: Path, client: str) -> Path:
    return base / FILES[client][0]


KEYS = ["client", "path", "action", "what", "backup", "difference", "notes"]


def _told(*words: str) -> list[tuple[object, object, object]]:
    """Run the command; returns client, path and action of each skill's object."""
    return [(line["client"], line["path"], line["action"]) for line in _lines(*words) if line["what"] == "skill"]


def _lines(*words: str) -> list[dict[str, object]]:
    """Run the command; returns all its objects."""
    done = command(*words, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(list(line) == KEYS for line in lines)
    return lines


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
    written = re.findall(r"^(\w+): written (\S+)$", done.stdout, re.M)
    assert [(client, str(_skill(home, client))) for client in CLIENTS] == [
        (client, path) for client, path in written if path.endswith("SKILL.md")
    ]
    assert written == [(client, str(home / path)) for client, paths in FILES.items() for path in paths]
    for client in CLIENTS:
        skill = _skill(home, client)
        assert skill.read_bytes() == SHIPPED.read_bytes()
        assert skill.stat().st_mode & 0o777 == 0o644
        folders = [parent for parent in skill.parents if parent.is_relative_to(home) and parent != home]
        assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o755}


@pytest.mark.parametrize("client", CLIENTS)
def test_one_client_is_written_and_again_nothing_is(home: Path, client: str) -> None:
    skill = _skill(home, client)
    assert _told("install", client) == [(client, str(skill), "written")]
    before, seen = _tree(home), skill.stat()
    assert _told("install", client) == [(client, str(skill), "unchanged")]
    assert (_tree(home), skill.stat().st_mtime_ns) == (before, seen.st_mtime_ns)


@pytest.mark.parametrize(
    ("client", "below"), [("claude", "skills/ai-bridge/skills"), ("gemini", ".gemini/skills"), ("codex", "skills")]
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
        plan_changes("install", ["claude"], "project")


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
    assert f"\nclaude: replaced {path} (before: {path}.bak)\n" in done.stdout
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


@pytest.mark.parametrize(("verb", "left"), [("install", SHIPPED.read_bytes()), ("uninstall", None)])
def test_on_a_terminal_who_agrees_is_shown_the_difference_and_served(
    home: Path, verb: str, left: bytes | None
) -> None:
    path = _changed(home, "gemini", SHIPPED.read_bytes() + b"mine\n")
    code, shown = on_terminal(b"y\n", verb, "gemini")
    assert code == 0
    assert f"{'-' if verb == 'install' else '+'}mine\n" in shown
    assert f"{path} (a backup is kept)? [y/N]: " in shown
    assert (path.read_bytes() if path.exists() else None) == left
    assert Path(f"{path}.bak").read_bytes() == SHIPPED.read_bytes() + b"mine\n"


@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_on_a_terminal_who_does_not_agree_keeps_everything(home: Path, verb: str) -> None:
    _changed(home, "codex")
    before = _tree(home)
    code, shown = on_terminal(b"\n", verb, "all")
    assert code == 1
    assert "exists with other content, so nothing was changed" in shown
    assert _tree(home) == before


def test_on_a_terminal_json_is_asked_nothing(home: Path) -> None:
    _changed(home, "codex")
    code, shown = on_terminal(b"y\n", "install", "codex", "--json")
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
    assert (tmp_path / "dotfiles/ai-bridge/skills/advisor/SKILL.md").is_file()
    assert _told("uninstall", "claude")[0][2] == "removed"
    assert _tree(home) == before
    assert _tree(tmp_path / "dotfiles") == {}


# --- server and hooks in files of others -------------------------------------------------------------------

SECRET = "sk-not-for-your-eyes"
OTHERS = {
    ".claude/settings.json": json.dumps({"permissions": {"allow": ["Bash"]}, "env": {"KEY": SECRET}}),
    ".gemini/settings.json": f'{{\n\t"apiKey": "{SECRET}", "mcpServers": {{}},\n\t"ui": {{"theme": "é"}}\n}}',
    ".codex/config.toml": f'# mine\n[mcp_servers.db]\ncommand = "db"\nenv = {{ KEY = "{SECRET}" }}  # {SECRET}\n',
    ".codex/hooks.json": f'{{"hooks": {{"Stop": [{{"hooks": [{{"type": "command", "command": "{SECRET}"}}]}}]}}}}',
}


@pytest.fixture
def others(home: Path) -> Path:
    """A home where each client has servers, hooks and secrets of the person's."""
    for name, text in OTHERS.items():
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(text)
        (home / name).chmod(0o640)
    return home


def test_everything_is_registered_beside_what_is_there_and_nothing_of_that_is_shown(others: Path) -> None:
    done = command("install", "all")
    assert (done.returncode, done.stderr) == (0, "")
    assert SECRET not in done.stdout
    for name, text in OTHERS.items():
        assert f"--- {others / name}\n+++ {others / name}\n" in done.stdout
        assert f": changed {others / name} (before: {others / name}.bak)\n" in done.stdout
        assert Path(f"{others / name}.bak").read_text() == text
        assert {Path(f"{others / name}{end}").stat().st_mode & 0o777 for end in ("", ".bak")} == {0o640}
    known = json.loads((others / ".claude/settings.json").read_text())
    assert known["permissions"] == {"allow": ["Bash", RULE]}
    assert known["env"] == {"KEY": SECRET}
    servers = tomllib.loads((others / ".codex/config.toml").read_text())["mcp_servers"]
    assert list(servers) == ["db", "ai-bridge"]
    hooks = json.loads((others / ".codex/hooks.json").read_text())["hooks"]
    assert {event: len(groups) for event, groups in hooks.items()} == {
        "Stop": 2, "SessionStart": 1, "UserPromptSubmit": 1, "PostToolUse": 1
    }  # fmt: skip


def test_nothing_of_others_is_in_the_objects_for_programs(others: Path) -> None:
    for words in (("install", "all", "--dry-run"), ("install", "all"), ("uninstall", "all")):
        assert SECRET not in json.dumps(_lines(*words))


def test_uninstall_gives_the_files_back_byte_for_byte_and_removes_its_backups(others: Path) -> None:
    before = _tree(others)
    for _ in range(2):
        command("install", "all")
        assert _tree(others) != before
        command("uninstall", "all")
        assert _tree(others) == before


def test_a_new_place_for_the_mailboxes_asks_and_then_uninstall_still_finds_the_way_back(others: Path) -> None:
    before = _tree(others)
    command("install", "all", "--mailboxes", "one")
    refused(
        command("install", "all", "--mailboxes", "two"), f"{others / FILES['claude'][1]} exists with other content"
    )
    done = command("install", "all", "--mailboxes", "two", "--yes")
    assert re.search(r'^-.*"AI_BRIDGE_MAILBOXES": "[^"]*/here/one"', done.stdout, re.M)
    assert re.search(r'^\+.*"AI_BRIDGE_MAILBOXES": "[^"]*/here/two"', done.stdout, re.M)
    assert (others / ".gemini/settings.json.bak1").exists()
    for path in (others / ".claude/skills").rglob("*.bak"):
        path.unlink()  # it keeps what --yes replaced in a file of ours
    command("uninstall", "all")
    assert _tree(others) == before


def test_what_was_changed_since_survives_uninstall(others: Path) -> None:
    command("install", "gemini")
    path = others / ".gemini/settings.json"
    path.write_text(path.read_text().replace('"theme": "é"', '"theme": "ü", "more": 1'))
    command("uninstall", "gemini")
    assert path.read_text() == f'{{\n\t"apiKey": "{SECRET}",\n\t"ui": {{"theme": "ü", "more": 1}}\n}}'


def test_a_link_to_a_settings_file_stays_one(others: Path, tmp_path: Path) -> None:
    path, target = others / ".gemini/settings.json", tmp_path / "dotfiles.json"
    path.rename(target)
    path.symlink_to(target)
    command("install", "gemini")
    assert path.is_symlink()
    assert "ai-bridge" in target.read_text()
    command("uninstall", "gemini")
    assert path.is_symlink()
    assert target.read_text() == OTHERS[".gemini/settings.json"]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        (".gemini/settings.json", '{\n  // mine\n  "a": 1\n}', "line 2, column 3"),
        (".gemini/settings.json", '{"a": 1,}', "line 1, column "),
        (".gemini/settings.json", '{"mcpServers": []}', "mcpServers is no object"),
        (".gemini/settings.json", '{"hooks": {"AfterTool": {}}}', "hooks.AfterTool is no list"),
        (".claude/settings.json", "[]", "it holds no object"),
        (".claude/settings.json", '{"a": NaN}', "NaN is no JSON"),
        (".codex/config.toml", "a = ", "Invalid value"),
        (".codex/config.toml", "mcp_servers = 1", "mcp_servers is no table"),
        (".codex/config.toml", "\udcff", "byte 0 is no UTF-8"),
    ],
)
def test_a_file_that_cannot_be_merged_into_stops_that_client_alone_and_what_to_write_is_shown(
    others: Path, name: str, text: str, why: str
) -> None:
    (others / name).write_bytes(os.fsencode(text))
    before = _tree(others)
    broken = name[1:].partition("/")[0]
    alone = command("install", broken)
    assert (alone.returncode, _tree(others)) == (1, before)
    assert re.fullmatch(r"error: [^\n]+\n", alone.stderr)
    assert f"{others / name} cannot be changed safely ({why}" in alone.stderr
    shown = tomllib.loads(alone.stdout) if name.endswith("toml") else json.loads(alone.stdout)
    assert "ai-bridge" in json.dumps(next(iter(shown.values())))
    done = command("install", "all")
    assert (done.returncode, done.stderr) == (1, alone.stderr)
    after = _tree(others)
    assert {path: after[path] for path in before if path.startswith(f".{broken}")} == {
        path: content for path, content in before.items() if path.startswith(f".{broken}")
    }
    for client in CLIENTS:
        assert any(path.startswith(f".{client}") for path in after.keys() - before.keys()) == (client != broken)
    lines = command("install", "all", "--json")
    assert (lines.returncode, lines.stderr) == (1, alone.stderr)
    assert {json.loads(line)["client"] for line in lines.stdout.splitlines()} == {*CLIENTS} - {broken}


def test_install_ends_with_the_next_step_and_shows_no_content_of_new_files(home: Path) -> None:
    done = command("install", "all")
    titles = ", ".join(client.title for client in clients.registrable())
    last = f"Next: restart {titles}. In your project, run `ai-bridge init`, then `ai-bridge doctor`."
    assert done.stdout.splitlines()[-1] == last
    assert "+++" not in done.stdout
    assert "Next:" not in command("install", "all").stdout
    command("uninstall", "all")
    dry = command("install", "all", "--dry-run").stdout
    assert ("+++" in dry, "Next:" in dry) == (True, False)


def test_for_a_project_all_clients_are_registered_although_none_is_on_this_machine(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert command("install", "all", "--scope", "project").returncode == 0
    assert {path.name for path in (tmp_path / "here").iterdir()} == {f".{client}" for client in CLIENTS}
    assert _tree(home) == {}


def test_uninstall_takes_nothing_from_a_file_it_cannot_read_and_that_does_not_name_us(others: Path) -> None:
    path = others / ".gemini/settings.json"
    path.write_text("// mine")
    assert {line["action"] for line in _lines("uninstall", "gemini")} == {"absent"}
    path.write_text("// ai-bridge")
    refused(command("uninstall", "gemini"), f"{path} cannot be changed safely", "take ai-bridge out of it by hand")


def test_an_entry_a_person_changed_is_replaced_or_taken_only_where_they_agree(others: Path) -> None:
    for client, name in (("gemini", ".gemini/settings.json"), ("claude", FILES["claude"][1])):
        command("install", client)
        path = others / name
        text = path.read_text()
        path.write_text(re.sub(r'\[(\s*)"mcp"(\s*)\]', r'[\1"mcp", "--agent", "boss"\2]', text))
        assert "boss" in path.read_text()
        before = _tree(others)
        for verb in ("install", "uninstall"):
            refused(command(verb, client), f"{path} exists with other content")
            assert _tree(others) == before
        assert "boss" in command("install", client, "--yes").stdout
        assert "boss" not in path.read_text()


def test_on_a_terminal_it_is_asked_once_for_all(others: Path) -> None:
    command("install", "all", "--mailboxes", "one")
    code, shown = on_terminal(b"y\n", "install", "all", "--mailboxes", "two")
    assert (code, shown.count("[y/N]")) == (0, 1)
    replaced = f"Replace {others / FILES['claude'][1]}, replace {others / FILES['claude'][2]}, "
    assert f"{replaced}change {others / '.gemini/settings.json'}, change " in shown


def test_what_a_person_set_otherwise_is_left_and_told(others: Path) -> None:
    path = others / ".gemini/settings.json"
    path.write_text('{"tools": {"shell": {"backgroundCompletionBehavior": "notify"}}, "experimental": 7}')
    shown = command("install", "gemini").stdout
    assert 'gemini: tools.shell.backgroundCompletionBehavior is "notify" and stays so; mail wakes' in shown
    after = json.loads(path.read_text())
    assert (after["tools"]["shell"], after["experimental"]) == ({"backgroundCompletionBehavior": "notify"}, 7)


def test_who_has_to_trust_new_hooks_is_told_when_they_are_written_and_not_again(home: Path) -> None:
    told = "codex: Codex CLI runs these hooks only once you trust them"
    assert told in command("install", "codex").stdout
    assert told not in command("install", "codex").stdout


def test_a_value_a_person_had_set_alike_stays_after_uninstall(others: Path) -> None:
    path = others / ".gemini/settings.json"
    path.write_text('{"experimental": {"modelSteering": true}}')
    command("install", "gemini")
    path.write_text(path.read_text().replace("{", '{"mine": 1, ', 1))
    command("uninstall", "gemini")
    assert json.loads(path.read_text()) == {"mine": 1, "experimental": {"modelSteering": True}}


def test_a_file_written_by_another_program_meanwhile_is_merged_into_as_it_then_is(others: Path) -> None:
    path = others / ".gemini/settings.json"
    steps = plan_changes("install", ["gemini"], "user")
    path.write_text('{"numStartups": 2}')
    assert len(list(carry_out(steps))) == 3
    assert list(json.loads(path.read_text())) == ["numStartups", "mcpServers", "hooks", "tools", "experimental"]
    assert Path(f"{path}.bak").read_text() == '{"numStartups": 2}'


def test_a_file_of_which_our_part_was_changed_meanwhile_is_left_alone(others: Path) -> None:
    path = others / ".gemini/settings.json"
    steps = plan_changes("install", ["gemini"], "user")
    path.write_text(text := '{"mcpServers": {"ai-bridge": {"command": "mine"}}}')
    with pytest.raises(ChangedMeanwhile, match=re.escape(str(path))):
        list(carry_out(steps))
    assert path.read_text() == text


def test_of_all_clients_those_that_are_not_there_are_skipped_and_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    (home / ".gemini").mkdir()
    lines = [json.loads(line) for line in command("install", "all", "--json").stdout.splitlines()]
    assert [(line["client"], line["action"]) for line in lines if line["action"] == "skipped"] == [
        ("claude", "skipped"),
        ("codex", "skipped"),
    ]
    assert {line["client"] for line in lines if line["action"] == "written"} == {"gemini"}
    assert "claude: skipped, for it is not on this machine" in command("install", "all").stdout
    assert _told("install", "codex")[0][2] == "written"


def test_an_address_that_is_none_and_mailboxes_without_a_name_are_refused(home: Path) -> None:
    refused(command("install", "claude", "--agent", "No One"), "No One")
    refused(command("install", "claude", "--mailboxes", ""), "--mailboxes names nothing")
    assert _tree(home) == {}


def test_a_link_to_a_file_that_held_nothing_else_stays_one_that_leads_somewhere(home: Path, tmp_path: Path) -> None:
    command("install", "claude")
    path, target = home / ".claude/settings.json", tmp_path / "dotfiles.json"
    path.rename(target)
    path.symlink_to(target)
    command("uninstall", "claude")
    assert path.is_symlink()
    assert target.read_text() == "{}\n"


def test_a_full_disk_leaves_a_file_of_others_as_it_was(others: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [step for step in plan_changes("install", ["gemini"], "user") if "server" in step.piece.what]
    before = _tree(others)
    monkeypatch.setattr(durable, "os", FaultyOs({"write": errno.ENOSPC}))
    with pytest.raises(CannotChange, match="No space left"):
        list(carry_out(steps))
    assert _tree(others) == before


def test_a_new_file_that_clients_keep_secrets_in_is_for_nobody_else(home: Path) -> None:
    command("install", "all")
    modes = {path: (home / path).stat().st_mode & 0o777 for paths in FILES.values() for path in paths}
    assert {path for path, mode in modes.items() if mode == 0o600} == {".codex/config.toml"}


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
    assert done.returncode == 1
    assert "".join(f"claude: written {home / path}\n" for path in FILES["claude"]) in done.stdout
    assert re.fullmatch(r"error: \S+ cannot be changed \(Not a directory\): [^\n]+\n", done.stderr)
    assert _skill(home, "claude").exists()
    assert _skill(home, "codex").exists()


@pytest.mark.parametrize(
    ("call", "number"), [("mkdir", errno.EROFS), ("open", errno.EACCES), ("write", errno.ENOSPC)]
)
def test_a_disk_that_refuses_leaves_no_part_of_a_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    monkeypatch.setattr(durable, "os", FaultyOs({call: number}))
    steps = plan_changes("install", ["claude"], "user")
    with pytest.raises(
        CannotChange, match=re.escape(f"{_skill(home, 'claude')} cannot be changed ({os.strerror(number)})")
    ):
        list(carry_out(steps))
    assert not any(path.is_file() for path in home.rglob("*"))


def test_a_file_is_kept_where_no_backup_can_be_made(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _changed(home, "claude")
    monkeypatch.setattr(durable, "os", FaultyOs({"write": errno.ENOSPC}))
    for verb in ("install", "uninstall"):
        with pytest.raises(CannotChange):
            list(carry_out(plan_changes(verb, ["claude"], "user")))
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


def test_the_page_on_clients_names_every_file_and_every_event() -> None:
    text = (ROOT / "docs/clients.md").read_text()
    for client in CLIENTS:
        for piece in pieces(client, "user", Choice()):
            name = os.path.basename(piece.path)
            assert f"/{name}`" in text or piece.what == "skill"
            for event in getattr(piece.content, "hooks", {}):
                assert re.search(rf"^\|.*\bhooks\b.*\b{event}\b", text, re.M), event


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


def test_what_a_person_added_to_our_entry_is_kept_and_never_shown(home: Path) -> None:
    command("install", "gemini")
    path = home / ".gemini/settings.json"
    document = json.loads(path.read_text())
    document["mcpServers"]["ai-bridge"] |= {"env": {"API_KEY": "s3cret"}, "headers": {"Authorization": "s3cret"}}
    document["mcpServers"]["ai-bridge"]["command"] = "/old/ai-bridge"
    path.write_text(json.dumps(document, indent=2))
    for words in (
        ("install",),
        ("install", "--dry-run"),
        ("uninstall", "--dry-run", "--json"),
        ("uninstall", "--yes"),
    ):
        assert "s3cret" not in "".join(command(words[0], "gemini", *words[1:]).stdout.split())


def test_a_permission_that_a_person_gave_before_stays(home: Path) -> None:
    path = home / ".claude" / "settings.json"
    path.parent.mkdir()
    for allowed in (["Bash", "mcp__ai-bridge"], ["Bash", f"{RULE}__peer_read"], ["Bash"]):
        path.write_text(json.dumps({"permissions": {"allow": allowed}}, indent=2) + "\n")
        before = path.read_bytes()
        assert command("install", "claude").returncode == 0
        assert json.loads(path.read_text())["permissions"]["allow"] == [*allowed, RULE]
        assert command("uninstall", "claude").returncode == 0
        assert path.read_bytes() == before
