"""A person's address is the person's: no session gets it, and no shell that a client started uses or makes it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from ai_bridge import clients
from ai_bridge.agents import cards, person, projects
from ai_bridge.agents.identity import NoIdentity, who
from ai_bridge.agents.person import ForPersons, PersonsAddress
from ai_bridge.mailboxes.outbox import READ
from ai_bridge.mailboxes.tree import Tree
from tests.support.command import command, refused
from tests.support.mail import post, states

BY_CLIENT = {"CLAUDECODE": "1"}
ONE_SENTENCE = "person's address, and to use it is for a person, in a terminal of their own: CLAUDECODE says that"


@pytest.fixture(autouse=True)
def _me(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    assert command("init", "me").returncode == 0


def test_init_in_a_terminal_makes_me_a_persons_address_and_nobody_else(where: Tree) -> None:
    command("init", "codex")
    assert [agent for agent in where.agents() if person.is_persons(where, agent)] == ["me"]
    assert "person: yes" in command("card", "show", "me").stdout


def test_init_in_a_clients_shell_makes_no_person(where: Tree) -> None:
    refused(command("init", "me@web", **BY_CLIENT), "to make me@web, a person's address, is for a person")
    assert "me@web" not in where.agents()


@pytest.mark.parametrize("words", [["--from", "me"], ["--agent", "me"]])
def test_a_clients_shell_does_not_write_as_a_person(where: Tree, words: list[str]) -> None:
    refused(command("send", "gemini", "s", *words, body="x", **BY_CLIENT), ONE_SENTENCE)
    assert states(where, "me") == {}
    assert command("send", "gemini", "s", *words, body="x").returncode == 0


@pytest.mark.parametrize("word", ["read", "wait"])
def test_a_clients_shell_does_not_read_as_a_person(where: Tree, word: str) -> None:
    id_ = post(where, to="me", sender="gemini")
    refused(command(word, "--agent", "me", **BY_CLIENT), ONE_SENTENCE)
    refused(command("acknowledge", id_, "--agent", "me", **BY_CLIENT), ONE_SENTENCE)
    assert READ not in states(where, "gemini")
    assert command("read", "--agent", "me").stdout.count(id_) == 1


def test_a_clients_shell_does_not_say_who_is_a_person(where: Tree) -> None:
    for change in ("person=yes", "person="):
        done = command("card", "set", change, "gemini", **BY_CLIENT)
        refused(done, "to say which addresses are a person's is for a person")
    done = command("card", "set", "person=maybe", "gemini")
    refused(done, "person is yes, or empty")
    assert command("card", "set", "person=yes", "gemini").returncode == 0
    assert person.is_persons(where, "gemini")


def test_an_edited_card_makes_no_person_in_a_clients_shell(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDECODE", "1")
    with pytest.raises(ForPersons):
        cards.replace(where, "gemini", "---\nname: gemini\nperson: yes\n---\n")
    cards.replace(where, "gemini", "---\nname: gemini\ndescription: x\n---\n")
    assert not person.is_persons(where, "gemini")


def test_a_variable_of_the_persons_own_shell_does_not_make_a_session_a_person(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_BRIDGE_AGENT", "me")
    assert who(where).address == "me"
    assert who(where, None, "claude-code").address == "claude"
    with pytest.raises(NoIdentity):
        who(where, None, "")
    with pytest.raises(PersonsAddress, match="me is a person's address, and no session may have it"):
        who(where, "me", "claude-code")
    with pytest.raises(PersonsAddress):
        who(where, None, "me")
    monkeypatch.setenv("CLAUDECODE", "1")
    assert who(where).address == "claude"


@pytest.mark.parametrize(
    ("card", "is_person"),
    [
        ("---\nperson: yes\n---\n", True),
        ("---\nname: gemini\nperson: 'yes'  # mine\n---\n", True),
        ("---\nperson: no\n---\n", False),
        ("---\nname: gemini\n---\nperson: yes\n", False),
        ("person: yes\n", False),
        ("---\nperson: yes\nhome: far-12345678\nlink: ours\n---\n", False),
    ],
)
def test_only_the_card_of_ones_own_team_makes_a_person(where: Tree, card: str, is_person: bool) -> None:
    Path(cards.card_path(where, "gemini")).write_text(card)
    assert person.is_persons(where, "gemini") is is_person


# --- a terminal -------------------------------------------------------------------------------------------


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some descriptor of this process is a terminal."""
    monkeypatch.setattr(os, "isatty", lambda descriptor: descriptor == 2)


@pytest.mark.usefixtures("terminal")
def test_a_terminal_is_that_of_the_only_person(where: Tree) -> None:
    assert (who(where).address, who(where).why) == ("me", "the only person's address, and this is a terminal")
    assert who(where, "claude").address == "claude"


def test_without_a_terminal_nobody_is_a_person_unasked(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "isatty", lambda _: False)
    with pytest.raises(NoIdentity):
        who(where)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(
    "variable", [name for one in clients.ALL for name in (*one.shell_variables, *one.session_variables)]
)
def test_a_shell_that_a_client_started_is_never_a_persons(
    where: Tree, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "1")
    found = ""
    with suppress(NoIdentity):
        found = who(where).address
    assert found != "me"


@pytest.mark.usefixtures("terminal")
def test_no_client_gets_the_address_of_a_terminal(where: Tree) -> None:
    with pytest.raises(NoIdentity):
        who(where, None, "")
    assert who(where, None, "claude-code").address == "claude"


@pytest.mark.usefixtures("terminal")
def test_one_of_several_persons_is_not_guessed_but_that_of_the_project_comes_first(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projects, "here", lambda: "web")
    assert command("init", "me@web").returncode == 0
    assert who(where).address == "me@web"
    monkeypatch.setattr(projects, "here", lambda: "api")
    with pytest.raises(NoIdentity):
        who(where)


@pytest.mark.usefixtures("terminal")
def test_a_person_who_lives_on_another_machine_is_not_this_one(where: Tree) -> None:
    """Two people who share mailboxes, each on a machine of their own, do not become each other."""
    Path(where.path, "agents", "me.md").write_text("---\nhome: other-0123abcd\nperson: yes\n---\n")
    with pytest.raises(NoIdentity):
        who(where)


@pytest.mark.usefixtures("terminal")
def test_without_a_person_nobody_is_one(where: Tree) -> None:
    Path(where.path, "agents", "me.md").unlink()
    with pytest.raises(NoIdentity):
        who(where)
