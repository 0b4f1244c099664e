"""The name of a session: kept while it lives, given to the same session again, and never taken from another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ai_bridge import clients
from ai_bridge.agents import identity, session_keys, session_names
from ai_bridge.agents.identity import Identity, NoIdentity
from ai_bridge.agents.session_names import Name, TooManySessions
from ai_bridge.mailboxes.tree import Tree

WANTED = Identity("claude", "from the client's name, claude-code")


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_names, "_PATIENCE_S", 0.0)


def take(where: Tree, key: str = "", wanted: str = "claude") -> Name:
    return session_names.take(where, Identity(wanted, WANTED.why), "claude-code", key)


def test_the_first_session_has_the_agents_address_and_further_ones_the_next(where: Tree) -> None:
    names = [take(where) for _ in range(4)]
    assert [name.address for name in names] == ["claude", "claude-2", "claude-3", "claude-4"]
    assert names[0].why == WANTED.why
    assert names[1].why.startswith(f"{WANTED.why}; another session is claude (session, pid ")


def test_with_a_project_the_number_goes_to_the_name(where: Tree) -> None:
    assert [take(where, wanted="claude@web").address for _ in range(2)] == ["claude@web", "claude-2@web"]


def test_a_long_name_stays_an_address(where: Tree) -> None:
    names = [take(where, wanted=f"{'x' * 32}@{'y' * 32}").address for _ in range(12)]
    assert len(set(names)) == 12
    where.make(names)


def test_a_name_given_back_is_free_for_the_next(where: Tree) -> None:
    first, second = take(where), take(where)
    second.release()
    assert take(where).address == "claude-2"
    first.release()
    assert take(where).address == "claude"


def test_a_session_that_comes_back_has_the_name_it_had(where: Tree) -> None:
    first, second = take(where, "one"), take(where, "two")
    first.release()
    second.release()
    back = take(where, "two")
    assert back.address == "claude-2"
    assert back.why.endswith("; this session had that name before")


def test_a_name_is_not_taken_from_a_live_session_whoever_had_it_before(where: Tree) -> None:
    first, second = take(where, "one"), take(where, "two")
    second.release()
    other = take(where, "three")
    assert other.address == "claude-2"
    assert take(where, "two").address == "claude-3"
    assert first.is_held()
    assert other.is_held()


def test_a_name_somebody_made_an_agent_of_is_no_further_sessions(where: Tree) -> None:
    where.make(["claude-2"])
    assert [take(where).address for _ in range(2)] == ["claude", "claude-3"]


def test_a_name_that_a_session_had_stays_a_sessions(where: Tree) -> None:
    first = take(where)
    take(where).release()
    where.make(["claude-2"])
    assert take(where).address == "claude-2"
    assert first.is_held()


def test_a_shell_of_a_client_within_another_is_not_taken_for_either(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(where, "outer")
    monkeypatch.setenv("CLAUDECODE", "1")
    monkeypatch.setenv("CLAUDE_CODE_SESSION_ID", "outer")
    assert identity.who(where).address == "claude"
    monkeypatch.setenv("GEMINI_CLI", "1")
    with pytest.raises(NoIdentity):
        identity.who(where)


def test_what_another_client_calls_its_session_is_no_key_of_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_CODE_SESSION_ID", "outer")
    assert session_keys.session_key("claude-code") == "outer"
    assert session_keys.session_key("codex-mcp-client") == ""
    assert str(os.getppid()) in session_keys.session_key("gemini-cli-mcp-client").split()


def test_the_key_itself_is_written_nowhere(where: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take(where, "a-secret-key")
    monkeypatch.setenv("CLAUDE_CODE_SESSION_ID", "a-secret-key")
    session_keys.note_client(where, "claude-code")
    assert session_keys.digest(session_keys.hook_key(where, clients.CLAUDE_CODE, 2))
    for path in (tmp_path / "state").rglob("*"):
        assert "a-secret-key" not in str(path)
        assert not path.is_file() or b"a-secret-key" not in path.read_bytes()


def test_a_name_remembered_of_another_agent_is_not_used(where: Tree) -> None:
    take(where, "key", wanted="gemini").release()
    assert take(where, "key").address == "claude"


@pytest.mark.parametrize("junk", [b"", b"../x", b"\xff", b"Claude"])
def test_a_damaged_memory_is_as_none(where: Tree, tmp_path: Path, junk: bytes) -> None:
    take(where, "key").release()
    for path in (tmp_path / "state").rglob("sessions/*"):
        path.write_bytes(junk)
    assert session_keys.remembered(where, "key") is None
    assert take(where, "key").address == "claude"


def test_a_dying_predecessor_is_waited_for(
    where: Tree, monkeypatch: pytest.MonkeyPatch, processes: list[subprocess.Popen[bytes]]
) -> None:
    monkeypatch.setattr(session_names, "_PATIENCE_S", 30.0)
    script = (
        "import sys\n"
        "from ai_bridge.agents import identity, session_names\n"
        "from ai_bridge.mailboxes.tree import Tree\n"
        f"session_names.take(Tree({where.path!r}), identity.Identity('claude', ''), 'x')\n"
        "print(flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    processes.append(process)
    assert process.stdout is not None
    assert process.stdin is not None
    process.stdout.readline()
    process.stdin.close()
    assert take(where).address == "claude"


def test_more_sessions_than_there_are_names_are_refused(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_names, "_MOST", 2)
    held = [take(where), take(where)]
    with pytest.raises(TooManySessions, match="2 sessions of claude are alive: end one"):
        take(where)
    assert all(name.is_held() for name in held)


def test_a_name_is_no_longer_held_once_its_state_directory_is_gone(where: Tree) -> None:
    name = take(where)
    assert name.is_held()
    Path(where.lock_file("session", "claude")).unlink()
    assert not name.is_held()


def test_a_shell_of_an_ended_session_is_nobody_once_another_session_has_its_name(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(where, "one")
    take(where, "two").release()
    monkeypatch.setenv("CLAUDE_CODE_SESSION_ID", "two")
    assert identity.who(where).address == "claude-2"
    take(where, "three")
    with pytest.raises(NoIdentity):
        identity.who(where)


@pytest.mark.parametrize(
    ("variable", "agent"), [("CLAUDECODE", "claude"), ("GEMINI_CLI", "gemini"), ("CODEX_THREAD_ID", "codex")]
)
def test_a_shell_of_a_session_that_has_no_name_yet_is_the_clients_agent_if_that_is_certain(
    where: Tree, monkeypatch: pytest.MonkeyPatch, variable: str, agent: str
) -> None:
    monkeypatch.setenv(variable, "1")
    assert identity.who(where).address == agent
    first = take(where, "other", wanted=agent)
    if variable != "CLAUDECODE":  # the session has a key, or is a process, and that of `first` is another
        with pytest.raises(NoIdentity):
            identity.who(where)
    else:
        assert identity.who(where).address == agent
    second = take(where, "another", wanted=agent)
    with pytest.raises(NoIdentity):
        identity.who(where)
    assert first.is_held()
    assert second.is_held()


@pytest.mark.parametrize("variable", [name for client in clients.ALL for name in client.session_variables])
def test_a_shell_of_a_session_is_who_the_session_is(
    where: Tree, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    take(where, "one")
    take(where, "two")
    monkeypatch.setenv(variable, "two")
    found = identity.who(where)
    assert (found.address, found.why) == ("claude-2", "from the session this shell belongs to")
    monkeypatch.setenv("AI_BRIDGE_AGENT", "gemini")
    assert identity.who(where).address == "gemini"
