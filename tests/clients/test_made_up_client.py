"""A made-up client: with its record in the table every part of the program knows it, and nothing else is edited."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ai_bridge import clients
from ai_bridge.agents import identity, person, projects, session_keys
from ai_bridge.clients import project
from ai_bridge.health import doctor, server_start
from ai_bridge.health.finding import NOTE, OK, WRONG, Finding
from ai_bridge.inbox import framing
from ai_bridge.inbox.fetch import fetch
from ai_bridge.install.changes import plan_changes
from ai_bridge.install.plan import carry_out
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.reach.activity import Activity
from ai_bridge.reach.ways import ways_of
from ai_bridge.server.run import _fit
from ai_bridge.server.tool_calls import caller
from ai_bridge.settings import Settings
from tests.clients.parrot import PARROT, PROGRAM
from tests.support.mail import post

ROOT = Path(__file__).resolve().parents[2]
OTHERS = '{"theirs": [1, 2], "allowed": ["cracker"]}\n'


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a project of a new home, with the record in the table and the client's program on the PATH."""
    for folder in ("home", "project/.git", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(server_start, "SLOW_MS", math.inf)  # how fast a server starts here decides no test
    monkeypatch.setattr(clients, "ALL", (*clients.ALL, PARROT))
    _put_program(tmp_path, "echo 1.2.3")


def _put_program(tmp_path: Path, script: str) -> None:
    path = tmp_path / "bin" / "parrot-cli"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def command(*words: str, body: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `ai-bridge` as a process of its own, with the record in its table."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        input=body,
        capture_output=True,
        timeout=60,
        env=variables,
        text=True,
        check=False,
    )


# --- who it is --------------------------------------------------------------------------------------------


def test_its_name_leads_to_its_agent(where: Tree) -> None:
    found = identity.who(where, None, "parrot-mcp")
    assert (found.address, found.why) == ("polly", "from the client's name, parrot-mcp")


def test_its_variables_tell_its_shells_and_its_sessions(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARROT", "1")
    assert identity.who(where).address == "polly"
    assert clients.variable_set() == "PARROT"
    with pytest.raises(person.ForPersons, match="PARROT says"):
        person.refuse_clients("this")
    monkeypatch.setenv("PARROT_SESSION", "one")
    assert session_keys.session_key("parrot-mcp") == session_keys.shell_key(where) == "one"
    session_keys.remember(where, "one", "polly-2")
    assert identity.who(where).address == "polly-2"


def test_it_names_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop").mkdir()
    monkeypatch.setenv("PARROT_PROJECT", str(tmp_path / "shop"))
    assert (projects.here(), project.folder()) == ("shop", str(tmp_path / "shop"))


def test_its_requests_tell_their_session() -> None:
    told = SimpleNamespace(client_params=SimpleNamespace(client_info=SimpleNamespace(name="parrot-mcp")))
    context: Any = SimpleNamespace(session=told, meta={"parrotSession": "one"})
    assert (caller(context).client, caller(context).key) == ("parrot-mcp", "one")


# --- what it is shown, and how it is reached ----------------------------------------------------------------


def test_no_reply_is_longer_than_it_shows(where: Tree, settings: Settings) -> None:
    for number in range(8):
        post(where, str(number) * 1500)
    lengths = {}
    for own_name in ("parrot-mcp", "another"):
        waiting = fetch(where, "gemini", settings)
        budget = framing.Budget(20_000, own_name)
        lengths[own_name] = len(framing.reply(where, "gemini", waiting, 100, budget, framing.AUTO).text)
    assert 2_000 < lengths["parrot-mcp"] <= 5_000 < lengths["another"]


def test_what_it_passes_over_it_is_not_offered() -> None:
    for own_name, is_offered in (("parrot-mcp", False), ("another", True)):
        offered: dict[str, Any] = {"capabilities": {"resources": {}}}
        _fit(offered, clients.by_own_name(own_name))
        assert ("resources" in offered["capabilities"]) is is_offered


def test_its_code_is_met_only_when_it_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, PARROT.reach.module, raising=False)
    assert clients.by_own_name("parrot-mcp").reach.hooks_s == 3.0
    assert PARROT.reach.module not in sys.modules
    ways = ways_of(clients.by_own_name("parrot-mcp"))
    assert ways.can_push("one")
    ways.push("one", "mail")
    assert sys.modules[PARROT.reach.module].heard == [("one", "mail")]


def test_its_events_begin_and_end_turns() -> None:
    turn = Activity()
    turn.record("AfterTool")
    assert turn.left_to_hooks_s(60.0) > 0
    for event in ("TurnOver", "Hatched"):
        turn.record("AfterTool")
        turn.record(event)
        assert turn.left_to_hooks_s(60.0) == 0


def test_its_hooks_are_answered(where: Tree) -> None:
    where.make(["polly"])
    post(where, "hello", to="polly")
    words = ("hook", "parrot", "--mailboxes", where.path, "--agent", "polly")
    foreign = {"CLAUDECODE": "1", "CODEX_THREAD_ID": "x"}
    done = command(*words, body='{"hook_event_name": "TurnOver"}', PARROT_SESSION="one", **foreign)
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer["decision"] == "screech"
    assert "for polly, from claude" in answer["reason"]
    again = command(*words, body='{"hook_event_name": "TurnOver"}', PARROT_SESSION="one", **foreign)
    assert (again.returncode, again.stdout) == (0, "{}\n")
    begins = command(*words, body='{"hook_event_name": "Hatched"}', PARROT_SESSION="one", **foreign)
    assert "for polly, from claude" in json.loads(begins.stdout)["hookSpecificOutput"]["additionalContext"]


# --- what install and the doctor know of it -----------------------------------------------------------------


def test_install_registers_with_it_and_takes_everything_out_again(tmp_path: Path) -> None:
    path = tmp_path / "home" / ".parrot" / "settings.json"
    path.parent.mkdir()
    path.write_text(OTHERS)
    done = command("install", "parrot", "--mailboxes", "/m")
    assert (done.returncode, done.stderr) == (0, "")
    assert (path.parent / "skills" / "advisor" / "SKILL.md").is_file()
    found = json.loads(path.read_text())
    assert (found["theirs"], found["allowed"], found["perch"]) == ([1, 2], ["cracker", "ai-bridge"], {"wakes": True})
    server = found["mcpServers"]["ai-bridge"]
    assert (server["args"][-1], server["env"]["AI_BRIDGE_MAILBOXES"], server["loud"]) == ("mcp", "/m", True)
    assert list(found["hooks"]) == ["Hatched", "AfterTool", "TurnOver"]
    (group,) = found["hooks"]["AfterTool"]
    (hook,) = group["hooks"]
    assert (group["matcher"], hook["timeout"], "hook parrot" in hook["command"]) == ("any", 10_000, True)
    again = command("install", "parrot", "--mailboxes", "/m", "--json")
    assert {json.loads(line)["action"] for line in again.stdout.splitlines()} == {"unchanged"}
    assert command("uninstall", "parrot").returncode == 0
    assert path.read_text() == OTHERS
    assert sorted(file.name for file in path.parent.rglob("*")) == ["settings.json"]


def test_it_is_one_of_all_and_can_be_handed_on(tmp_path: Path) -> None:
    done = command("install", "all", "--json")
    all_of_them = {"claude", "gemini", "codex", "parrot"}
    assert {json.loads(line)["client"] for line in done.stdout.splitlines()} == all_of_them
    assert "[claude|gemini|codex|parrot|all]" in command("install", "--help").stdout
    assert command("install", "--plugin", str(tmp_path / "out")).returncode == 0
    manifest = json.loads((tmp_path / "out" / "parrot" / "crate.json").read_text())
    assert "loud" not in manifest["mcpServers"]["ai-bridge"]
    assert list(json.loads((tmp_path / "out/parrot/hooks/hooks.json").read_text())["hooks"]) == [*PARROT.hooks.events]


def test_the_doctor_command_examines_it(tmp_path: Path) -> None:
    absent = command("doctor", "parrot")
    assert absent.returncode == 1
    assert "-> ai-bridge install parrot" in absent.stdout
    assert command("install", "parrot").returncode == 0
    done = command("doctor", "parrot", "--json")
    found = {line["check"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert found["server"]["level"] != "wrong"  # it may be slow: how fast it starts here decides no test
    assert {line["level"] for check, line in found.items() if check != "server"} == {"ok"}, done.stdout
    assert done.returncode == 0
    assert set(found) == {"installed", "registered", "hooks", "server", "reach"}
    assert found["installed"]["found"] == "1.2.3"
    assert found["hooks"]["found"] == "Hatched, AfterTool, TurnOver"
    assert found["reach"]["found"] == "idle by a cracker; at work by hooks"


def _register(scope: str = "user") -> None:
    for _ in carry_out(plan_changes("install", ["parrot"], scope)):
        pass


def _found() -> dict[str, Finding]:
    return {finding.where: finding for finding in doctor.examine("parrot")}


def test_what_is_in_its_way_is_found(tmp_path: Path) -> None:
    _register()
    path = tmp_path / "home" / ".parrot" / "settings.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "quiet": True}))
    assert (_found()["switch"].level, _found()["reach"].level) == (WRONG, NOTE)
    path.write_text(json.dumps({**settings, "perch": {"wakes": False}}))
    assert "its perch does not wake it" in _found()["reach"].what
    path.write_text(json.dumps(settings))
    _put_program(tmp_path, '[ "$1" = --version ] && echo 0.1 || exit 2')
    assert "this version cannot squawk" in _found()["reach"].what


def test_a_project_is_asked_about_by_its_own_code(tmp_path: Path) -> None:
    _register("project")
    assert (tmp_path / "project" / ".parrot" / "settings.json").is_file()
    assert (_found()["approved"].level, _found()["approved"].fix) == (NOTE, f"cd {tmp_path}/project && parrot-cli")
    (tmp_path / "project" / "feather").touch()
    assert _found()["approved"].level == OK
