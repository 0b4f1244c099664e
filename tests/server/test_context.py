"""A model sends files of its project, and of folders that its user opened in the user's own settings; no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_bridge.mailboxes.tree import Tree
from tests.support.command import command
from tests.support.mail import states
from tests.support.server import Ground, Serve

SECRET = "what only the user knows"
WAYS = pytest.mark.parametrize("way", ["peer_context", "peer_send", "shell"])


class Place:
    """A project, a folder beside it with a secret, and the three ways a model sends a file."""

    def __init__(self, ground: Ground, where: Tree, serve: Serve) -> None:
        self.project, self.beside = ground.base / "project", ground.base / "beside"
        for folder in (self.project, self.beside):
            folder.mkdir(exist_ok=True)
        self.secret = self.beside / "secret.txt"
        self.secret.write_text(SECRET)
        (self.project / "own.txt").write_text("of the project")
        self.settings = ground.home / ".config" / "ai-bridge" / "settings.toml"
        self._ground, self._where, self._serve = ground, where, serve

    def open(self, *folders: object) -> None:
        """Write what the user writes."""
        self.settings.parent.mkdir(parents=True, exist_ok=True)
        self.settings.write_text(f"context_folders = {[str(folder) for folder in folders]}\n")

    def send(self, way: str, path: object, **environment: str) -> str:
        """Send a file; returns what was refused, '' where it was sent."""
        environment["CLAUDE_PROJECT_DIR"] = str(self.project)
        if way == "shell":
            words = ("send", "gemini", "--agent", "claude", "--mailboxes", self._where.path, "--context", str(path))
            done = command(*words, body="see", HOME=str(self._ground.home), CLAUDECODE="1", **environment)
            return done.stderr
        server = self._serve(cwd=self.project, **environment)
        words_ = {"paths": [str(path)]} if way == "peer_context" else {"body": "see", "context": [str(path)]}
        answer = server.call(way, to="gemini", **words_)
        return answer.text + "\n" if answer.is_error else ""

    @property
    def is_sent(self) -> bool:
        """Whether the secret is in any outbox."""
        return any(SECRET in path.read_text() for path in Path(self._where.path).rglob("*-outbox/**/*.txt"))


@pytest.fixture
def place(ground: Ground, where: Tree, serve: Serve) -> Place:
    return Place(ground, where, serve)


@WAYS
def test_a_file_outside_the_project_is_refused_with_what_the_user_can_write(place: Place, way: str) -> None:
    assert place.send(way, place.secret) == (
        f"error: {place.secret} is outside the project folder {place.project}: tell your user to write "
        f"context_folders = ['{place.beside}'] into {place.settings}, if you are to send it\n"
    )
    assert not place.is_sent


@WAYS
def test_once_the_user_opened_the_folder_it_is_sent(place: Place, way: str) -> None:
    place.open("~/elsewhere", place.beside)
    assert place.send(way, place.secret) == ""
    assert place.is_sent


def test_a_folder_may_begin_with_the_users_home(place: Place, ground: Ground) -> None:
    docs = ground.home / "docs"
    docs.mkdir()
    (docs / "secret.txt").write_text(SECRET)
    place.open("~/docs")
    assert place.send("peer_context", "~/docs/secret.txt") == ""
    assert place.is_sent


@WAYS
def test_neither_the_tree_nor_the_environment_opens_a_folder(place: Place, where: Tree, way: str) -> None:
    Path(where.path, "settings.toml").write_text(f"context_folders = ['{place.beside}']\n")
    refused = place.send(way, place.secret, AI_BRIDGE_CONTEXT_FOLDERS=f"['{place.beside}']")
    assert "is outside the project folder" in refused
    assert not place.is_sent


@WAYS
@pytest.mark.parametrize("link", ["in the project", "in the folder", "to a folder", "in a folder below"])
def test_no_link_leads_out_of_the_project_or_an_opened_folder(place: Place, way: str, link: str) -> None:
    opened = place.beside.parent / "opened"
    opened.mkdir(exist_ok=True)
    place.open(opened)
    inside = {"in the project": place.project / "link", "in the folder": opened / "link"}.get(link)
    if inside is None:
        folder = opened / "down" if link == "to a folder" else place.project / "down"
        folder.unlink(missing_ok=True)
        folder.symlink_to(place.beside)
        inside = folder / "secret.txt"
    else:
        inside.unlink(missing_ok=True)
        inside.symlink_to(place.secret)
    assert place.send(way, inside).startswith(f"error: {inside} ")
    assert not place.is_sent


def test_a_link_in_the_project_leads_to_no_opened_folder_either(place: Place) -> None:
    place.open(place.beside)
    link = place.project / "to the opened"
    link.unlink(missing_ok=True)
    link.symlink_to(place.secret)
    told = place.send("peer_context", "to the opened")
    assert told == (
        f"error: to the opened leads out of the project folder {place.project}: "
        f"name the file itself, by its path {place.secret}\n"
    )
    assert not place.is_sent


@pytest.mark.parametrize("path", ["../beside/secret.txt", "{opened}/../beside/secret.txt"])
def test_no_dots_lead_out(place: Place, path: str) -> None:
    opened = place.beside.parent / "opened"
    opened.mkdir(exist_ok=True)
    place.open(opened)
    assert place.send("peer_send", path.format(opened=opened)).startswith("error: ")
    assert not place.is_sent


@WAYS
def test_what_is_in_the_project_is_sent_by_any_path(place: Place, where: Tree, way: str) -> None:
    for path in ("own.txt", place.project / "own.txt"):
        if way != "shell" or path != "own.txt":
            assert place.send(way, path) == ""
    assert states(where, "claude")


def test_the_root_of_the_file_system_is_no_project(place: Place, serve: Serve) -> None:
    server = serve(cwd=Path("/"))
    told = server.refusal("peer_context", to="gemini", paths=[str(place.secret)])
    assert f"{place.secret} is outside the project folder /" in told
    assert not place.is_sent


def test_a_person_names_any_file(place: Place, where: Tree, ground: Ground) -> None:
    words = ("send", "gemini", "--agent", "claude", "--mailboxes", where.path, "--context", str(place.secret))
    assert command(*words, body="see", HOME=str(ground.home)).stderr == ""
    assert place.is_sent
