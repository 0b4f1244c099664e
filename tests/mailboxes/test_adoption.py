"""Mailboxes that somebody else made: nothing in them is obeyed, moved or shown before this user adopts them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ai_bridge.mailboxes import adoption
from ai_bridge.mailboxes.tree import Tree
from tests.support import wire
from tests.support.checkout import ROOT
from tests.support.command import command
from tests.support.mail import post
from tests.support.server import CLAUDE
from tests.support.server import command as server_command
from tests.support.wire import Wire

IN_ONE_LINE = "is not adopted: mailboxes that came with a repository could move your files"
HOOK = '{"hook_event_name": "BeforeAgent"}'
USING = [
    ("send", "gemini", "--from", "claude"),
    ("read", "--agent", "gemini"),
    ("wait", "--agent", "gemini", "--timeout", "0"),
    ("acknowledge", "x", "--agent", "gemini"),
    ("restore", "x"),
    ("allow", "claude"),
    ("card", "set", "text=x", "--agent", "gemini"),
    ("router", "--once"),
    ("install-service",),
    ("hook", "gemini"),
]
LOOKING = [
    ("list", "--agent", "gemini"),
    ("show", "mallory-1"),
    ("status", "mallory-1"),
    ("history", "--agent", "gemini"),
    ("search", "boo"),
    ("peers",),
    ("config",),
    ("health",),
]


class Clone:
    """A repository that somebody else wrote: mailboxes with waiting mail, a loud setting, and links to elsewhere."""

    def __init__(self, base: Path) -> None:
        self.path = base / "src" / "clone"
        self.notes = base / "home" / "notes"
        self.where = Tree(str(self.path / "mailboxes"))
        self.where.make(["gemini", "claude", "mallory"])
        Path(self.where.path, "settings.toml").write_text('reach = "full"\n')
        mail = "ID: mallory-1\nFrom: mallory\nTo: gemini\nSubject: boo\n\nboo"
        Path(self.where.outbox("mallory").file("unread", "mallory-1.gemini.txt")).write_text(mail)
        (self.notes / "deep").mkdir(parents=True)
        (self.notes / "todo.txt").write_text("buy milk")
        os.utime(self.notes / "todo.txt", (1_000_000, 1_000_000))
        os.symlink("../../../home/notes", os.path.join(self.where.path, "evil-outbox"))
        subprocess.run(["git", "init", "-q", str(self.path)], check=True)

    def everything(self) -> dict[str, bytes]:
        """Return every file, and every directory, of the clone and of what its link leads to."""
        return {
            str(path): path.read_bytes() if path.is_file() else b""
            for base in (Path(self.where.path), self.notes)
            for path in sorted(base.rglob("*"))
        }


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    made = Clone(tmp_path)
    monkeypatch.chdir(made.path)
    return made


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Wire]]:
    """Start a client's server in the working directory."""
    started: list[Wire] = []

    def begin(*words: str, **variables: str) -> Wire:
        theirs_in, ours_in, ours_out, theirs_out = wire.ends("pipes")
        with (tmp_path / "stderr").open("ab") as errors:
            environment = {**os.environ, **variables}
            process = subprocess.Popen(
                server_command(*words), stdin=theirs_in, stdout=theirs_out, stderr=errors, env=environment
            )
        os.close(theirs_in)
        os.close(theirs_out)
        started.append(Wire(process, (ours_in, ours_out), CLAUDE, "legacy", tmp_path / "stderr"))
        started[-1].open()
        return started[-1]

    yield begin
    for server in started:
        server.end()


def shell(*words: str, body: str = "x") -> subprocess.CompletedProcess[str]:
    script = ["sh", str(ROOT / "management/send.sh"), *words]
    done = subprocess.run(script, input=body.encode(), capture_output=True, timeout=60, check=False)
    return subprocess.CompletedProcess(script, done.returncode, done.stdout.decode(), os.fsdecode(done.stderr))


# --- before adoption --------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", USING, ids=lambda words: words[0])
def test_in_a_clone_nothing_is_done_and_one_line_says_how_to_adopt(clone: Clone, words: tuple[str, ...]) -> None:
    before = clone.everything()
    done = command(*words, body=HOOK if words[0] == "hook" else "x")
    assert clone.everything() == before
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert IN_ONE_LINE in done.stderr
    assert f"`ai-bridge init --mailboxes {clone.where.path}`" in done.stderr


def test_in_a_clone_the_shell_sends_nothing(clone: Clone) -> None:
    before = clone.everything()
    done = shell("gemini", "--from", "claude")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert IN_ONE_LINE in done.stderr
    assert clone.everything() == before


@pytest.mark.parametrize("words", LOOKING, ids=lambda words: words[0])
def test_in_a_clone_one_may_look_and_is_warned(clone: Clone, words: tuple[str, ...]) -> None:
    before = clone.everything()
    done = command(*words)
    assert IN_ONE_LINE in done.stderr
    assert "error" not in done.stderr
    assert clone.everything() == before


@pytest.mark.parametrize("naming", ["found", "environment", "option"])
def test_in_a_clone_a_session_reads_and_sends_nothing_even_if_the_clone_names_its_mailboxes(
    clone: Clone, start: Callable[..., Wire], naming: str
) -> None:
    before = clone.everything()
    words = ("--mailboxes", clone.where.path) if naming == "option" else ()
    server = start(*words, **({"AI_BRIDGE_MAILBOXES": "mailboxes"} if naming == "environment" else {}))
    server.tools()
    for tool, given in (
        ("peer_read", {}),
        ("peer_send", {"to": "gemini", "body": "x"}),
        ("peer_list", {}),
        ("check_mail", {"event": "UserPromptSubmit"}),
    ):
        assert IN_ONE_LINE in server.refusal(tool, **given), tool
    assert clone.everything() == before


@pytest.mark.parametrize("words", [*USING[:3], ("init",), ("start",)], ids=lambda words: words[0])
def test_a_clients_shell_trusts_no_name_that_the_clone_may_have_given(clone: Clone, words: tuple[str, ...]) -> None:
    before = clone.everything()
    done = command(*words, body="x", CLAUDECODE="1", AI_BRIDGE_MAILBOXES="mailboxes")
    assert (done.returncode, done.stdout) == (1, "")
    assert "adopt" in done.stderr
    assert clone.everything() == before


def test_a_clients_shell_sends_nothing_by_script_where_the_clone_names_its_mailboxes(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = clone.everything()
    monkeypatch.setenv("CLAUDECODE", "1")
    assert IN_ONE_LINE in shell("gemini", "--from", "claude", "--mailboxes", "mailboxes").stderr
    assert clone.everything() == before
    monkeypatch.delenv("CLAUDECODE")
    command("init")
    monkeypatch.setenv("CLAUDECODE", "1")
    assert shell("gemini", "--from", "claude", "--mailboxes", "mailboxes").returncode == 0


@pytest.mark.parametrize("base", ["data", "absolute"])
def test_what_a_clone_calls_the_users_own_mailboxes_needs_adoption_too(
    clone: Clone, start: Callable[..., Wire], base: str
) -> None:
    own = clone.path / "data" / "ai-bridge"
    own.mkdir(parents=True)
    os.rename(clone.where.path, own / "mailboxes")
    named = str(clone.path / "data") if base == "absolute" else base
    server = start(XDG_DATA_HOME=named)
    assert "boo" not in server.call("peer_read").text
    assert "boo" not in command("hook", "gemini", body=HOOK, XDG_DATA_HOME=named, GEMINI_CLI="1").stdout
    assert (own / "mailboxes/mallory-outbox/.unread/mallory-1.gemini.txt").exists()


@pytest.mark.parametrize("words", LOOKING[:4], ids=lambda words: words[0])
def test_a_clients_shell_shows_no_mail_of_a_clone(clone: Clone, words: tuple[str, ...]) -> None:
    done = command(*words, CLAUDECODE="1")
    assert (done.returncode, done.stdout) == (1, "")
    assert IN_ONE_LINE in done.stderr


@pytest.mark.parametrize("kind", ["fifo", "endless"])
def test_a_readme_that_is_no_file_traps_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    (tmp_path / "mailboxes").mkdir()
    readme = tmp_path / "mailboxes/README.md"
    os.mkfifo(readme) if kind == "fifo" else readme.symlink_to("/dev/zero")
    monkeypatch.chdir(tmp_path)
    assert "no mailboxes found" in command("list").stderr


@pytest.mark.parametrize(
    ("client", "path", "said"),
    [
        ("claude", ".mcp.json", "older"),
        ("claude", ".claude/skills/ai-bridge/.claude-plugin/plugin.json", "not started"),
        ("gemini", ".gemini/settings.json", "not started"),
    ],
)
def test_the_doctor_runs_no_program_that_a_clone_names(clone: Clone, client: str, path: str, said: str) -> None:
    server = {"command": "sh", "args": ["-c", "touch ran"]}
    (clone.path / path).parent.mkdir(parents=True, exist_ok=True)
    (clone.path / path).write_text(json.dumps({"name": "ai-bridge", "mcpServers": {"ai-bridge": server}}))
    assert said in command("doctor", client).stdout
    assert not (clone.path / "ran").exists()


def test_two_users_of_one_tree_can_both_adopt_it(where: Tree) -> None:
    os.chmod(where.path, 0o777)
    before = os.umask(0o002)
    try:
        adoption.adopt(where.path)
    finally:
        os.umask(before)
    assert os.stat(os.path.join(where.path, ".adopted")).st_mode & 0o777 == 0o775


def test_a_clone_that_is_no_repository_is_no_more_trusted(clone: Clone, start: Callable[..., Wire]) -> None:
    shutil.rmtree(clone.path / ".git")
    assert IN_ONE_LINE in start(AI_BRIDGE_MAILBOXES="mailboxes").refusal("peer_read")


# --- adoption ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("init",), ("start",), ("install", "gemini", "--mailboxes", "mailboxes")])
def test_a_person_adopts_once_and_all_works_but_the_link(clone: Clone, words: tuple[str, ...]) -> None:
    agents = clone.where.agents()
    try:
        assert command(*words).returncode == 0
        assert clone.where.agents() == agents
        assert [line["body"] for line in _told("read", "--agent", "gemini")] == ["boo"]
        assert command("send", "gemini", "--from", "claude", body="x").returncode == 0
        assert shell("gemini", "--from", "claude", body="y").returncode == 0
        assert [line["body"] for line in _told("read", "--agent", "gemini")] == ["x", "y"]
    finally:
        command("stop")
    assert sorted(path.name for path in clone.notes.iterdir()) == ["deep", "todo.txt"]


def test_a_session_reads_after_adoption(clone: Clone, start: Callable[..., Wire]) -> None:
    server = start(AI_BRIDGE_MAILBOXES="mailboxes")
    assert IN_ONE_LINE in server.refusal("peer_read")
    assert "adopted" in command("init").stderr
    assert "boo" in server.text("peer_read") or "No unread mail" in server.text("peer_read")


@pytest.mark.parametrize("words", [("init",), ("start",), ("install", "gemini", "--mailboxes", "mailboxes")])
def test_a_clients_shell_adopts_nothing_that_exists(clone: Clone, words: tuple[str, ...]) -> None:
    before = clone.everything()
    done = command(*words, CLAUDECODE="1")
    command("stop")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert clone.everything() == before
    assert not os.path.exists(adoption.notes_file())


def test_a_clients_shell_makes_mailboxes_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLAUDECODE", "1")
    assert command("init").returncode == 0
    assert command("send", "gemini", "--from", "claude", body="x").returncode == 0
    assert command("init", "codex").stdout.endswith("(new: codex)\n")


def test_what_is_named_is_trusted_by_that_process_and_not_remembered(clone: Clone) -> None:
    named = ("--mailboxes", clone.where.path)
    assert command("send", "gemini", "--from", "claude", *named, body="x").returncode == 0
    assert command("router", "--once", *named).returncode == 0
    sent = command("send", "gemini", "--from", "claude", body="y", AI_BRIDGE_MAILBOXES="mailboxes")
    assert sent.returncode == 0
    assert shell("gemini", "--from", "claude", "--mailboxes", "mailboxes").returncode == 0
    assert len(_told("read", "--agent", "gemini", *named)) == 4
    assert not os.path.exists(adoption.notes_file())
    assert IN_ONE_LINE in command("read", "--agent", "gemini").stderr


def test_the_users_own_mailboxes_need_no_adoption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Tree(str(tmp_path / "home/.local/share/ai-bridge/mailboxes"))
    own.make(["claude", "gemini"])
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert command("send", "gemini", "--from", "claude", body="x").returncode == 0
    assert shell("gemini", "--from", "claude").returncode == 0
    monkeypatch.chdir(os.path.dirname(own.path))
    assert len(_told("read", "--agent", "gemini")) == 2


# --- what adoption is of ----------------------------------------------------------------------------------


def test_another_tree_at_an_adopted_path_is_not_adopted(clone: Clone) -> None:
    command("init")
    shutil.rmtree(clone.path)
    shutil.rmtree(clone.notes)
    Clone(clone.path.parent.parent)
    os.chdir(clone.path)
    assert IN_ONE_LINE in command("read", "--agent", "gemini").stderr
    assert command("init").returncode == 0
    assert command("read", "--agent", "gemini").returncode == 0


def test_a_copy_of_adopted_mailboxes_is_not_adopted(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    command("init")
    copy = clone.path.with_name("copy")
    shutil.copytree(clone.path, copy, symlinks=True)
    monkeypatch.chdir(copy)
    assert IN_ONE_LINE in command("read", "--agent", "gemini").stderr
    assert IN_ONE_LINE in shell("gemini", "--from", "claude").stderr


def test_adoption_outlives_the_state_directory(clone: Clone, tmp_path: Path) -> None:
    command("init")
    shutil.rmtree(tmp_path / "state", ignore_errors=True)
    assert command("send", "gemini", "--from", "claude", body="x").returncode == 0


@pytest.mark.parametrize("name", ["a b ", "100%25", "line\nbreak", "\udcff\udcfe", "ends in\n"])
def test_any_path_can_be_adopted_and_all_ways_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    assert command("init").returncode == 0
    assert command("send", "gemini", "--from", "claude", body="x").returncode == 0
    assert shell("gemini", "--from", "claude").returncode == 0
    shutil.rmtree(tmp_path / name / "mailboxes" / ".adopted")
    assert IN_ONE_LINE in command("send", "gemini", "--from", "claude", body="x").stderr
    assert IN_ONE_LINE in shell("gemini", "--from", "claude").stderr


def test_a_list_with_a_torn_or_foreign_line_loses_nothing_and_gains_nothing(clone: Clone, tmp_path: Path) -> None:
    notes = Path(adoption.notes_file())
    notes.parent.mkdir(parents=True)
    (Path(clone.where.path) / ".adopted").mkdir()
    notes.write_text(f"../agents {clone.where.path}\n {clone.where.path}\n{'0' * 32} {clone.where.path[:-3]}")
    assert IN_ONE_LINE in command("read", "--agent", "gemini").stderr
    assert IN_ONE_LINE in shell("gemini", "--from", "claude").stderr
    assert command("init").returncode == 0
    assert command("read", "--agent", "gemini").returncode == 0
    assert shell("gemini", "--from", "claude").returncode == 0


def test_mailboxes_whose_adoption_cannot_be_noted_are_usable_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".config").write_text("in the way")
    monkeypatch.chdir(tmp_path)
    named = command("init", "--mailboxes", "mailboxes")
    assert named.returncode == 0
    assert "made but not adopted" in named.stderr
    found = command("init")
    assert found.returncode == 1
    assert "name it each time with --mailboxes" in found.stderr
    assert command("send", "gemini", "--from", "claude", "--mailboxes", "mailboxes", body="x").returncode == 0


# --- links, strangers and git -----------------------------------------------------------------------------


def test_a_link_is_never_an_outbox_in_mailboxes_that_are_trusted(clone: Clone) -> None:
    named = ("--mailboxes", clone.where.path)
    before = sorted(path.name for path in clone.notes.rglob("*"))
    assert command("router", "--once", *named).returncode == 0
    assert "evil" not in clone.where.agents()
    for words in (("send", "gemini", "--from", "evil"), ("send", "evil", "--from", "claude")):
        assert "there is no agent evil" in command(*words, *named, body="x").stderr
    assert "there is no agent evil" in shell("evil", "--from", "claude", *named).stderr
    assert "evil-outbox is a symbolic link" in command("init", "evil", *named).stderr
    assert sorted(path.name for path in clone.notes.rglob("*")) == before


@pytest.mark.parametrize("directory", [".tmp", ".processing", ".unread", ".read", ".held", ".malformed", ".attached"])
def test_a_link_is_never_a_directory_of_an_outbox(where: Tree, tmp_path: Path, directory: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x-1.gemini.txt").write_text("ID: x-1\nFrom: claude\nTo: gemini\nSubject: s\n\nmine")
    (elsewhere / "old.txt").write_text("mine")
    os.utime(elsewhere / "old.txt", (1_000_000, 1_000_000))
    linked = Path(where.outbox("claude").path, directory)
    post(where, "before")
    if linked.exists():
        shutil.rmtree(linked)
    linked.symlink_to(elsewhere)
    named = ("--mailboxes", where.path)
    (tmp_path / "excerpt").write_text("x" * 9000)
    command("send", "gemini", "--from", "claude", "--context", str(tmp_path / "excerpt"), *named, body="x")
    shell("gemini", "--from", "claude", *named)
    bad = Path(where.outbox("claude").path, "bad.txt")
    bad.write_text("no message")
    os.utime(bad, (1_000_000, 1_000_000))
    command("card", "set", "hold=mallory", "--agent", "gemini", *named)
    assert command("router", "--once", *named).returncode == 0
    read = command("read", "--agent", "gemini", *named)
    assert ("it stays unread" in read.stderr) == (directory == ".read")
    assert sorted(path.name for path in elsewhere.iterdir()) == ["old.txt", "x-1.gemini.txt"]
    assert "mine" not in command("history", "--agent", "gemini", "--json", *named).stdout
    health = command("health", *named)
    assert f"link: {linked} is a symbolic link" in health.stdout
    assert f"`rm {linked}`" in health.stdout


@pytest.mark.parametrize("directory", ["agents", "allowed", "presence"])
def test_a_tree_with_a_link_in_place_of_its_own_directories_is_refused(
    where: Tree, tmp_path: Path, directory: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    shutil.rmtree(os.path.join(where.path, directory), ignore_errors=True)
    os.symlink(tmp_path / "elsewhere", os.path.join(where.path, directory))
    for words in (("send", "gemini", "--from", "claude"), ("read", "--agent", "gemini"), ("init", "codex")):
        done = command(*words, "--mailboxes", where.path, body="x")
        assert done.returncode == 1
        assert f"{directory} is a symbolic link, which mailboxes never follow" in done.stderr
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_health_reports_files_that_git_tracks_in_the_mailboxes(clone: Clone) -> None:
    command("init")
    git = ["git", "-C", str(clone.path)]
    subprocess.run([*git, "add", "-f", "mailboxes/README.md"], check=True)
    assert "git tracks" not in command("health").stdout
    subprocess.run([*git, "add", "-f", "mailboxes/mallory-outbox"], check=True)
    health = command("health")
    assert health.returncode == 1
    assert (
        "git: git tracks 1 file in the mailboxes, such as mallory-outbox/.unread/mallory-1.gemini.txt"
        in health.stdout
    )


def test_health_warns_of_directories_that_others_own_or_may_write(where: Tree) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory to another user")
    os.chmod(where.outbox("claude").path, 0o777)
    os.chown(where.outbox("gemini").path, 1234, 1234)
    health = command("health", "--mailboxes", where.path)
    assert f"other users may write {where.outbox('claude').path} (mode 777)" in health.stdout
    assert f"{where.outbox('gemini').path} belongs to the user 1234" in health.stdout
    assert command("send", "gemini", "--from", "claude", "--mailboxes", where.path, body="x").returncode == 0


def _told(*words: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in command(*words, "--json").stdout.splitlines()]
