"""In mailboxes that several projects share, nothing a session does reaches another project unless it names it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_bridge.mailboxes.tree import Tree
from tests.support.mail import exchange
from tests.support.project import commit, git
from tests.support.server import CLAUDE, CODEX, Ground
from tests.support.server import command as server
from tests.support.wire import Wire

OWN = ".local/share/ai-bridge/mailboxes"


class Projects:
    """Starts sessions in folders that have no mailboxes of their own."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.own = Tree(str(ground.home / OWN))
        self._open: list[Wire] = []

    def session(self, folder: Path, client: str = CLAUDE) -> Wire:
        """Return the session of a client that works in the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        opened = self._ground.start(server(), client, cwd=folder, AI_BRIDGE_MAILBOXES="")
        opened.open()
        self._open.append(opened)
        return opened

    def end(self) -> None:
        """End all sessions."""
        for opened in self._open:
            opened.end()


@pytest.fixture
def projects(ground: Ground) -> Iterator[Projects]:
    made = Projects(ground)
    yield made
    made.end()


def _address(session: Wire) -> str:
    return session.text("peer_status").split()[2]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "code"


def test_a_short_name_and_everybody_stay_in_the_project(projects: Projects, base: Path) -> None:
    a, b = projects.session(base / "a"), projects.session(base / "b", CODEX)
    assert (_address(a), _address(b)) == ("claude@a", "codex@b")
    said = a.refusal("peer_send", to="codex", body="secret")
    assert "codex is no agent of the project a, but codex@b is: give the whole address" in said
    assert "reaches nobody else in the project of claude@a" in a.refusal("peer_send", to="*", body="secret")
    assert "No unread" in b.text("peer_read")
    codex = projects.session(base / "a", CODEX)
    assert _address(codex) == "codex@a"
    assert a.text("peer_send", to="codex", body="to mine").startswith("Sent to codex@a. ")
    assert a.text("peer_send", to="*", body="to all").startswith("Sent to codex@a. ")
    assert "No unread" in b.text("peer_read")
    assert "to mine" in codex.text("peer_read")


def test_a_whole_address_leaves_the_project_and_the_receipt_says_so(projects: Projects, base: Path) -> None:
    a, b = projects.session(base / "a"), projects.session(base / "b", CODEX)
    assert _address(b) == "codex@b"
    assert "\nOutside your project: codex@b." in a.text("peer_send", to="codex@b", body="on purpose")
    assert "on purpose" in b.text("peer_read")
    assert "Outside" not in b.text("peer_send", to="codex@b", body="to myself")


def test_two_folders_of_one_name_never_meet(projects: Projects, base: Path) -> None:
    one, two = projects.session(base / "1" / "api"), projects.session(base / "2" / "api")
    assert [_address(one), _address(two)] == ["claude@api", "claude@api-2"]
    codex = projects.session(base / "2" / "api", CODEX)
    assert _address(codex) == "codex@api-2"
    assert "codex is no agent of the project api, but codex@api-2 is" in one.refusal(
        "peer_send", to="codex", body="x"
    )
    assert two.text("peer_send", to="codex", body="x").startswith("Sent to codex@api-2. ")


def test_two_worktrees_are_one_project(projects: Projects, base: Path) -> None:
    (base / "shop").mkdir(parents=True)
    (base / "shop" / "a").write_text("a")
    commit(base / "shop")
    git(base / "shop", "worktree", "add", "-q", str(base / "shop-fix"))
    claude, codex = projects.session(base / "shop"), projects.session(base / "shop-fix", CODEX)
    assert [_address(claude), _address(codex)] == ["claude@shop", "codex@shop"]
    assert claude.text("peer_send", to="codex", body="hi").startswith("Sent to codex@shop. ")


def test_a_session_sees_tools_and_past_mail_of_its_project(projects: Projects, base: Path) -> None:
    a, b = projects.session(base / "a"), projects.session(base / "b", CODEX)
    _address(a)
    b.text("peer_send", to="codex@b", body="zebra of b")
    a.text("peer_send", to="claude@a", body="zebra of a")
    assert "zebra of a" in (found := a.text("peer_history", query="zebra"))
    assert "zebra of b" not in found
    assert not any("codex" in tool["name"] for tool in a.tools())
    projects.own.make(["me"])
    exchange(projects.own, "me", "claude@a")
    exchange(projects.own, "codex@b", "claude@a")
    assert not any("codex" in tool["name"] for tool in a.tools())
    assert "read_me_messages" in [tool["name"] for tool in a.tools()]


def test_the_first_reply_says_who_and_where_the_session_is_and_why(projects: Projects, base: Path) -> None:
    a = projects.session(base / "a")
    first, second = (a.call("peer_list").result["content"] for _ in range(2))
    (introduction,) = [block["text"] for block in first[1:]]
    why = "from the client's name, claude-code"
    assert introduction == (
        f"[ai-bridge, automatic] You are claude@a ({why}). Mailboxes: {projects.own.path} "
        "(your own; this project has none)."
    )
    assert len(second) == 1
    assert f"Mailboxes: {projects.own.path} (your own; this project has none)\n" in a.text("peer_status")


def test_an_agent_that_the_users_settings_name_is_another_one_in_each_project(
    projects: Projects, base: Path, ground: Ground
) -> None:
    found = []
    for name in ("a", "b"):
        (base / name).mkdir(parents=True)
        variables = {"AI_BRIDGE_MAILBOXES": "", "AI_BRIDGE_AGENT": "reviewer"}
        opened = ground.start(server(), CLAUDE, cwd=base / name, **variables)
        opened.open()
        found.append(_address(opened))
        opened.end()
    assert found == ["reviewer@a", "reviewer@b"]


def test_agents_of_the_project_are_listed_first(projects: Projects, base: Path) -> None:
    own, other = projects.session(base / "z"), projects.session(base / "b", CODEX)
    _address(other)
    listed = own.text("peer_list").splitlines()[1:]
    assert [line.split()[0].rstrip(":") for line in listed] == ["claude@z", "codex@b"]
