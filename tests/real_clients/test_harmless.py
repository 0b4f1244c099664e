"""Nothing that install writes costs a client anything once the program is gone, or its user said no to the server."""

from __future__ import annotations

import json
import shutil
import sys
import venv
from pathlib import Path

import pytest

from tests.real_clients.ground import Ground
from tests.real_clients.model import Model
from tests.real_clients.notices import notices
from tests.real_clients.sessions import Claude, Client, Codex, Session
from tests.real_clients.terminal import ENTER
from tests.support.checkout import ROOT

pytestmark = pytest.mark.clients

# What a client shows in a turn if something of ours fails.
TROUBLE = ("not found", "no such file", "hook failed", "hook error", "hook(s)", "blocked", "failed to", "enoent")


QUESTION = "New MCP server found in this project"
# The answers to it: the choice that is marked at first, and the first of three.
DECLINED, APPROVED = ENTER, f"\x1b[A\x1b[A{ENTER}"


@pytest.fixture
def claude_in_project(ground: Ground, program: Path) -> Claude:
    """Claude Code, in a project in which a colleague has registered us."""
    made = Claude(ground)
    ground.run(str(program), "install", "claude", "--scope", "project")
    return made


@pytest.fixture
def program(ground: Ground) -> Path:
    """An installation of its own, first on the PATH, which the test may remove."""
    folder = ground.home.parent / "installed"
    venv.create(folder, with_pip=False)
    (found,) = (Path(path) for path in sys.path if path.endswith("site-packages"))
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "there.pth").write_text(f"{found}\n{ROOT}\n")
    script = folder / "bin" / "ai-bridge"
    script.write_text(f"#!{folder}/bin/python\nfrom ai_bridge.cli.entry import ai_bridge\nai_bridge()\n")
    script.chmod(0o755)
    ground.environment["PATH"] = f"{script.parent}:{ground.environment['PATH']}"
    return script


def _troubles(shown: str) -> list[str]:
    return [words for words in TROUBLE if words in shown.lower()]


def _remove(program: Path) -> None:
    shutil.rmtree(program.parents[1])


@pytest.mark.parametrize("scope", ["user", "project"])
def test_a_client_without_the_program_works_as_if_nothing_were_registered(
    client: Client, scope: str, program: Path, model: Model, ground: Ground
) -> None:
    ground.run(str(program), "install", client.name, "--scope", scope)
    _remove(program)
    model.plan(client.shell("echo a call"))
    said = client.ask_once("begin")
    assert "a call" in "".join(model.requests[-1].results)
    if not isinstance(client, Codex):  # which says once per session that it found no server
        assert _troubles(said) == [], said


def test_a_session_without_the_program_shows_no_error_in_its_turns(
    client: Client, program: Path, model: Model, ground: Ground
) -> None:
    ground.run(str(program), "install", client.name)
    _remove(program)
    assert _troubles(_turn(client, model)) == []


def test_a_program_that_is_broken_shows_no_error_in_a_turn(
    client: Client, program: Path, model: Model, ground: Ground
) -> None:
    ground.run(str(program), "install", client.name)
    program.write_text("#!/nowhere/python\n")
    assert _troubles(_turn(client, model)) == []


def test_a_server_that_was_declined_shows_no_error_in_a_turn(claude_in_project: Claude, model: Model) -> None:
    assert _troubles(_turn(claude_in_project, model, DECLINED)) == []


def _turn(client: Client, model: Model, keys: str = "") -> str:
    """Begin a session, answer its question by the keys, let it call a tool; returns what its turns showed.

    Of Codex CLI this is the second turn alone. In the first one it says that it found no server.
    """
    terminal = client.ground.open(client.words())
    if keys:
        terminal.wait_for(QUESTION)
        terminal.wait_until_quiet()
        terminal.type(keys)
    client.come_in(terminal)
    terminal.wait_until_quiet()
    session = Session(client.ground, terminal)
    before = len(terminal.text)
    if isinstance(client, Codex):
        session.say("the first turn")
        model.wait_until_quiet()
        terminal.wait_until_quiet()
        before = len(terminal.text)
    model.plan(client.shell("echo a call"))
    session.say("begin")
    model.wait_for(lambda request: "a call" in "".join(request.results))
    model.wait_until_quiet()
    terminal.wait_until_quiet()
    return terminal.text[before:]


def test_a_project_that_was_approved_has_server_hooks_and_permission(
    claude_in_project: Claude, model: Model, ground: Ground
) -> None:
    ground.drop("claude", "The build is green.")
    terminal = ground.open(claude_in_project.words())
    terminal.wait_for(QUESTION)
    terminal.wait_until_quiet()
    terminal.type(APPROVED)
    claude_in_project.come_in(terminal)
    terminal.wait_until_quiet()
    model.plan(claude_in_project.call("peer_read"))
    first = Session(ground, terminal).say("begin")
    assert notices(first) == 1
    ground.wait_until_read("claude")
    checks = [json.loads(line) for line in ground.bridge("doctor", "claude", "--json").splitlines()]
    assert {one["check"] for one in checks if one["level"] != "ok"} <= {"server"}, (
        checks
    )  # a loaded machine starts it slowly
