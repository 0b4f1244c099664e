"""ai-collab.sh and ai-collab-gemini.sh: the router of one agent, in a checkout that is set up already."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_bridge.mailboxes.outbox import DROPPED, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router import control
from tests.support.checkout import ROOT
from tests.support.command import refused
from tests.support.mail import post, states
from tests.support.wait import until


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A checkout with our scripts, whose set-up has been done: with this Python's commands and no project file."""
    made = tmp_path / "check out"
    shutil.copytree(ROOT / "management", made / "management")
    (made / ".venv").mkdir()
    (made / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (made / ".venv" / ".set-up").touch()
    own = Tree(str(made / "mailboxes"))
    own.make(["claude", "gemini"])
    yield made
    control.stop(own)


def _run(checkout: Path, script: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "management" / script, *words],
        cwd="/",
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _served(where: Tree) -> list[list[str]]:
    return [router.agents for router in control.running(where)]


@pytest.mark.parametrize(
    ("script", "agent", "other"),
    [("ai-collab.sh", "claude", "gemini"), ("ai-collab-gemini.sh", "gemini", "claude")],
)
def test_each_script_is_the_router_of_its_agent(checkout: Path, script: str, agent: str, other: str) -> None:
    where = Tree(str(checkout / "mailboxes"))
    started = _run(checkout, script, "start")
    ((pid, agents),) = [(router.holder.pid, router.agents) for router in control.running(where)]
    assert (started.returncode, started.stdout) == (0, f"router of {agent} started, pid {pid}\n")
    assert agents == [agent]
    refused(_run(checkout, script, "start"), f"pid {pid}", f"`ai-collab stop --agent {agent}`")
    theirs, mine = post(where, "x", to=other, sender=agent), post(where, "y", to=agent, sender=other)
    until(lambda: states(where, other) == {UNREAD: [f"{mine}.{agent}.txt"]})
    assert states(where, agent) == {DROPPED: [f"{theirs}.{other}.txt"]}
    assert f"deliver {other}/{mine}.{agent}.txt" in _run(checkout, script, "logs").stdout
    restarted = _run(checkout, script, "restart")
    assert restarted.stdout.startswith(f"router of {agent} started, pid ")
    assert str(pid) not in restarted.stdout.split()
    assert _run(checkout, script, "stop").stdout.startswith(f"router of {agent} stopped, pid ")
    assert _served(where) == []


def test_both_run_side_by_side_and_tell_of_all_agents(checkout: Path) -> None:
    where = Tree(str(checkout / "mailboxes"))
    assert _run(checkout, "ai-collab.sh", "health").returncode == 1
    _run(checkout, "ai-collab.sh", "start")
    _run(checkout, "ai-collab-gemini.sh", "start", "--poll")
    assert _served(where) == [["claude"], ["gemini"]]
    for script in ("ai-collab.sh", "ai-collab-gemini.sh"):
        health = _run(checkout, script, "health")
        assert (health.returncode, health.stdout.splitlines()[-1]) == (0, "healthy")
        assert [line.split(",")[0] for line in _run(checkout, script, "status").stdout.splitlines()] == [
            "claude: router",
            "gemini: router",
        ]
    _run(checkout, "ai-collab.sh", "stop")
    assert _served(where) == [["gemini"]]


def test_the_mailboxes_in_the_environment_go_over_those_of_the_checkout(checkout: Path, where: Tree) -> None:
    done = _run(checkout, "ai-collab.sh", "status", "--json", AI_BRIDGE_MAILBOXES=where.path)
    assert done.stdout.count('"agent"') == 2
    refused(_run(checkout, "ai-collab.sh", "status", AI_BRIDGE_MAILBOXES="/nowhere"), "/nowhere is not a mailboxes")
    shutil.rmtree(checkout / "mailboxes")
    assert _run(checkout, "ai-collab.sh", "status", AI_BRIDGE_MAILBOXES=where.path).returncode == 0
    refused(_run(checkout, "ai-collab.sh", "status"), f"{checkout}/mailboxes is not a mailboxes directory")
    Tree(str(checkout / "mailboxes")).make([])  # for the teardown


def test_without_a_word_the_help_is_shown_and_a_wrong_one_is_a_usage_error(checkout: Path) -> None:
    shown = _run(checkout, "ai-collab.sh")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("Usage: ai-collab ")
    wrong = _run(checkout, "ai-collab-gemini.sh", "strat")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Did you mean" in wrong.stderr


def test_a_checkout_that_is_set_up_is_not_set_up_again(checkout: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in checkout.rglob("*") if path.is_file()}
    done = subprocess.run([checkout / "management" / "setup.sh"], capture_output=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert {path: path.stat().st_mtime_ns for path in checkout.rglob("*") if path.is_file()} == before
