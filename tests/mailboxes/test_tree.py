"""The tree: found in a fixed order, never invented; each agent has an outbox, and local state is elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.tree import NoAgents, NotMailboxes, ReservedAddress, Tree, UnknownAgent, is_mailboxes
from ai_bridge.message.address import BadAddress
from ai_bridge.settings import Settings
from tests.support.mail import make_mailboxes, post, route, states

# --- which they are ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "is_one"),
    [
        ([], False),
        (["notes.txt"], False),
        (["README.md"], False),
        (["claude-outbox/"], True),
        (["Not An Agent-outbox/"], True),
    ],
)
def test_a_tree_is_known_by_its_readme_or_an_outbox(tmp_path: Path, files: list[str], is_one: bool) -> None:
    for name in files:
        (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).write_text("# Another thing\n")
    assert is_mailboxes(str(tmp_path)) is is_one
    Tree(str(tmp_path / "ours")).make([])
    assert is_mailboxes(str(tmp_path / "ours"))
    assert not is_mailboxes(str(tmp_path / "missing"))


# --- making them ------------------------------------------------------------------------------------------


def test_making_again_adds_and_never_changes(where: Tree) -> None:
    readme = Path(where.path, "README.md")
    readme.write_text("# Mailboxes\nwith a note of mine\n")
    id_ = post(where, "kept")
    os.rmdir(where.outbox("claude").directory(UNREAD))
    assert where.make(["claude", "codex"]) == ["codex"]
    assert readme.read_text() == "# Mailboxes\nwith a note of mine\n"
    assert os.path.isdir(where.outbox("claude").directory(UNREAD))
    assert states(where, "claude") == {"dropped": [f"{id_}.gemini.txt"]}


def test_what_is_made_is_for_its_owner_alone(where: Tree) -> None:
    made = [path for path in [Path(where.path), *Path(where.path).rglob("*")] if path.is_dir()]
    assert len(made) == 16
    assert {path.stat().st_mode & 0o777 for path in made} == {0o700}


def test_an_address_that_cannot_be_leaves_nothing_made(tmp_path: Path) -> None:
    with pytest.raises(BadAddress):
        Tree(str(tmp_path / "new")).make(["claude", "../claude"])
    assert os.listdir(tmp_path) == []


# --- whose they are ---------------------------------------------------------------------------------------


def test_agents_are_those_with_an_outbox_but_not_the_postmaster(where: Tree) -> None:
    where.make(["codex@web"])
    os.makedirs(where.outbox("postmaster").path)
    os.makedirs(where.outbox("Not An Agent").path)
    os.makedirs(os.path.join(where.path, "drafts"))
    assert where.agents() == ["claude", "codex@web", "gemini"]
    assert [outbox.owner for outbox in where.outboxes()] == ["claude", "codex@web", "gemini", "postmaster"]


@pytest.mark.parametrize("kind", ["file", "link to itself", "link to nowhere"])
def test_what_is_only_named_like_an_outbox_is_no_agent_and_stops_nobodys_mail(
    where: Tree, settings: Settings, kind: str
) -> None:
    path = Path(where.path, "aaa-outbox")
    if kind == "file":
        path.write_text("notes")
    else:
        path.symlink_to(path if kind == "link to itself" else "/nowhere")
    id_ = post(where, "x")
    route(where, settings, {"claude", "gemini"})
    assert states(where, "claude") == {UNREAD: [f"{id_}.gemini.txt"]}
    assert where.agents() == ["claude", "gemini"]


@pytest.mark.parametrize(
    ("name", "refusal", "says"),
    [
        (
            "gmini",
            UnknownAgent,
            r"no agent gmini \(did you mean gemini\?\); known: claude, gemini \(add one",
        ),
        ("Gemini", UnknownAgent, r"did you mean gemini\?"),
        ("nobody", UnknownAgent, "there is no agent nobody; known: claude, gemini"),
        ("no body", BadAddress, "'no body' is not an address"),
        ("", BadAddress, "'' is not an address"),
        ("../claude", UnknownAgent, "did you mean claude"),
        ("/etc/passwd", BadAddress, "is not an address"),
        ("postmaster", ReservedAddress, "reads no mail and nobody sends in its name"),
    ],
)
def test_who_is_not_known_is_told_what_to_do(where: Tree, name: str, refusal: type[Exception], says: str) -> None:
    with pytest.raises(refusal, match=says):
        where.known_agent(name)
    assert where.known_agent("gemini") == "gemini"


def test_without_agents_or_a_tree_nobody_is_known(tmp_path: Path) -> None:
    with pytest.raises(NoAgents, match="run `ai-bridge init`"):
        Tree(make_mailboxes(tmp_path / "new")).known_agent("claude")
    with pytest.raises(NotMailboxes):
        Tree(str(tmp_path / "missing")).known_agent("claude")
    with pytest.raises(NotMailboxes):
        Tree(str(tmp_path / "missing")).agents()


# --- what is local ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value", "base"),
    [
        ("AI_BRIDGE_STATE", "/chosen", "/chosen"),
        ("AI_BRIDGE_STATE", "", "{home}/.local/state/ai-bridge"),
        ("XDG_STATE_HOME", "/elsewhere", "/elsewhere/ai-bridge"),
    ],
)
def test_local_state_lies_outside_and_apart_for_each_tree(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, value: str, base: str
) -> None:
    monkeypatch.delenv("AI_BRIDGE_STATE")
    monkeypatch.setenv(variable, value)
    one, two = (
        Tree(make_mailboxes(tmp_path / "shop" / "mailboxes")),
        Tree(make_mailboxes(tmp_path / "web 2" / "mailboxes")),
    )
    assert one.state_directory().startswith(base.format(home=tmp_path / "home") + "/shop-")
    assert os.path.dirname(two.state_directory()) == os.path.dirname(one.state_directory())
    assert one.state_directory() != two.state_directory()
    assert one.lock_file("router", "a@b") == f"{one.state_directory()}/locks/router-a@b.lock"
    (tmp_path / "link").symlink_to(one.path)
    assert Tree(str(tmp_path / "link")).state_directory() == one.state_directory()


# --- where a directory belongs ----------------------------------------------------------------------------


def test_a_link_to_a_directory_is_no_outbox(where: Tree, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    os.symlink(tmp_path / "elsewhere", where.outbox("codex").path)
    assert where.agents() == ["claude", "gemini"]


def test_a_directory_is_of_the_outbox_it_is_in(where: Tree) -> None:
    claude, gemini = where.outbox("claude"), where.outbox("gemini")
    directories = frozenset({gemini.path, gemini.directory(UNREAD), claude.directory(READ)})
    found = where.outboxes_of(directories)
    assert found is not None
    assert [outbox.path for outbox in found] == [claude.path, gemini.path]
    assert where.outboxes_of(frozenset()) == []


@pytest.mark.parametrize("directory", ["{path}", "{path}/agents", "{path}/..", "/", "elsewhere/claude-outbox"])
def test_a_directory_of_no_outbox_stands_for_all(where: Tree, directory: str) -> None:
    known = where.outbox("claude").path
    assert where.outboxes_of(frozenset({known, directory.format(path=where.path)})) is None
    assert where.outboxes_of(None) is None
