"""policy: the rule for our wait is a file of ours alone; another place of the program is no question."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from ai_bridge import clients
from ai_bridge.clients.files import Policy
from ai_bridge.install import policy as policy_
from ai_bridge.install.policy import rule
from tests.support.command import command


@pytest.fixture
def policy() -> Policy:
    found = clients.by_name("gemini").files.policy
    assert found is not None
    return found


@pytest.fixture
def file() -> Path:
    return Path.home() / ".gemini/policies/ai-bridge.toml"


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work" / ".git").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")


@pytest.mark.parametrize(
    "path", ["/opt/ai-bridge", "/a b/ai-bridge", "/it's/ai-bridge", '/a "b"\\c/ai-bridge', "/ü/ai-bridge"]
)
def test_the_rule_allows_the_wait_of_this_program_and_nothing_else(
    policy: Policy, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_, "program", lambda: [path])
    (one,) = tomllib.loads(rule(policy).content.decode())["rule"]
    assert (one["toolName"], one["decision"]) == ("run_shell_command", "allow")
    assert policy_.shlex.split(one["commandPrefix"]) == [path, "wait"]


def test_the_rule_begins_as_the_line_that_a_session_is_taught(policy: Policy) -> None:
    from ai_bridge.reach.ways import ways_of

    (one,) = tomllib.loads(rule(policy).content.decode())["rule"]
    lesson = ways_of(clients.by_name("gemini")).lesson("SessionStart")
    assert f"`{one['commandPrefix']} --new`" in lesson


def test_the_program_at_another_place_is_no_question(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    present = rule(policy)
    monkeypatch.setattr(policy_, "program", lambda: ["/another/place/ai-bridge"])
    for verb in ("install", "uninstall"):
        assert not rule(policy).asks(verb, present.content)


@pytest.mark.parametrize(
    ("old", "new"),
    [('"allow"', '"deny"'), (' wait"', ' send"'), ("[[rule]]", "[[rule]]\nmodes = []"), ("[[rule]]", "[[rule")],
)
def test_anything_that_a_person_wrote_is_a_question(policy: Policy, old: str, new: str) -> None:
    present = rule(policy).content.decode()
    assert old in present
    for verb in ("install", "uninstall"):
        assert rule(policy).asks(verb, present.replace(old, new).encode())


def test_install_writes_it_and_uninstall_takes_it_out_again(file: Path, policy: Policy) -> None:
    assert command("install", "gemini").returncode == 0
    assert file.read_bytes() == rule(policy).content
    assert command("install", "gemini").stdout.count("unchanged") == 3
    assert command("uninstall", "gemini").returncode == 0
    assert not (Path.home() / ".gemini").exists()


def test_the_policies_of_a_person_stay(file: Path) -> None:
    file.parent.mkdir(parents=True)
    own = file.with_name("mine.toml")
    own.write_text("# mine\n")
    command("install", "gemini")
    command("uninstall", "gemini")
    assert [path.name for path in file.parent.iterdir()] == ["mine.toml"]
    assert own.read_text() == "# mine\n"


def test_a_file_of_that_name_that_a_person_wrote_is_replaced_only_by_consent(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text("# mine\n")
    assert command("install", "gemini").returncode != 0
    assert file.read_text() == "# mine\n"
    assert command("install", "gemini", "--yes").returncode == 0
    assert "ai-bridge" in file.read_text()
    assert file.with_name("ai-bridge.toml.bak").read_text() == "# mine\n"


def test_a_project_has_no_policy_and_install_says_what_each_person_does(file: Path, tmp_path: Path) -> None:
    done = command("install", "gemini", "--scope", "project")
    assert done.returncode == 0
    assert not file.exists()
    assert not list((tmp_path / "work").rglob("policies"))
    assert "each person who works here also runs `ai-bridge install gemini` once" in done.stdout
