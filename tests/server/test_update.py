"""A server whose package is replaced or removed goes on whole with its own code, and tells its session once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ai_bridge import __version__
from ai_bridge.mailboxes.tree import Tree
from tests.server.test_ending import assert_clean
from tests.support.mail import post, states
from tests.support.package import NEW, Package
from tests.support.server import Serve
from tests.support.wait import until
from tests.support.wire import Answer, Wire

pytestmark = pytest.mark.real_start

GOES_ON = " while this session runs: mail goes on as before"
RESTART = ". Tell your user to restart this session when it suits."
NOTE = f"[ai-bridge, automatic] ai-bridge was updated to {NEW}{GOES_ON}{RESTART}"


@pytest.fixture
def package(tmp_path: Path) -> Package:
    made = Package(tmp_path / "lib")
    made.install()
    return made


def start(serve: Serve, package: Package, era: str = "legacy", **options: str) -> Wire:
    """Start a server from the package, and wait until it has done one call."""
    server = serve(argv=[*package.words, "mcp"], era=era, PYTHONPATH=str(package.lib), **options)
    assert notes(server.call("peer_status")) == []
    return server


def notes(answer: Answer) -> list[str]:
    """Return what an answer holds besides the text of its tool."""
    assert not answer.is_error, answer.text
    assert "ai-bridge was" not in answer.text
    return [block["text"] for block in answer.result["content"][1:]]


def test_every_tool_works_on_once_another_version_was_installed(
    serve: Serve, package: Package, where: Tree, era: str
) -> None:
    where.make(["codex"])
    server = start(serve, package, era)
    package.install_other()
    assert notes(server.call("peer_list")) == [NOTE]
    sent = server.call("peer_send", to=["gemini", "codex"], body="agree?", decide="majority", voters=["gemini"])
    assert notes(sent) == []
    thread = sent.text.split("ID: ")[1].split()[0]
    post(where, "[CONTINUE] no", to="claude", sender="gemini", in_reply_to=thread, thread=thread)
    post(where, "with a file", to="claude", sender="codex", extra={"X-Unknown": "kept"})
    assert "2 messages unread" in server.text("peer_wait", timeout_s=5)
    read = server.call("peer_read")
    assert "with a file" in read.text
    assert notes(read) == []
    assert notes(server.call("peer_history", query="file")) == []
    assert notes(server.call("peer_history", thread=thread)) == []
    assert notes(server.call("peer_status", thread=thread)) == [NOTE]
    Path(where.path, "..", "some.py").write_text("x = 1\n" * 2000)
    context = server.call("peer_context", to="gemini", paths=[os.path.join(where.path, "..", "some.py")])
    assert context.is_error or notes(context) == []
    assert server.text("check_mail", event="Stop").startswith("{")
    server.refusal("peer_send", to="nobody", body="x")
    assert server.tools()
    assert notes(server.call("peer_status")) == [NOTE]
    server.close_in()
    assert server.ended() == 0
    assert server.said() == (
        f"ai-bridge was updated to {NEW}{GOES_ON}; restart the session to use what is installed now\n"
    )


def test_mailboxes_are_made_although_the_program_has_no_files_any_more(
    serve: Serve, package: Package, where: Tree
) -> None:
    shutil.rmtree(where.path)
    Path(where.path).mkdir()
    server = serve(argv=[*package.words, "mcp"], PYTHONPATH=str(package.lib), AI_BRIDGE_MAILBOXES="")
    server.call("peer_wait", timeout_s=0, sender="nobody")
    package.remove()
    assert server.call("peer_list").result["content"][-1]["text"].startswith("[ai-bridge, automatic] ")
    home = Path(where.path).parent / "home"
    assert (home / ".local/share/ai-bridge/mailboxes/README.md").read_text().startswith("# Mailboxes\n")


def test_each_thing_that_happens_is_told_once(serve: Serve, package: Package) -> None:
    server = start(serve, package)
    package.remove()
    (note,) = notes(server.call("peer_list"))
    assert note.startswith(f"[ai-bridge, automatic] ai-bridge was removed, or is being replaced,{GOES_ON}")
    assert notes(server.call("peer_list")) == []
    package.install(__version__)
    (note,) = notes(server.call("peer_list"))
    assert note.startswith(f"[ai-bridge, automatic] ai-bridge {__version__} was installed again{GOES_ON}")
    package.install(NEW)
    assert notes(server.call("peer_list")) == [NOTE]
    assert notes(server.call("peer_list")) == []
    server.close_in()
    assert server.ended() == 0


def test_a_hook_is_never_given_the_note(serve: Serve, package: Package) -> None:
    server = start(serve, package)
    package.install_other()
    assert len(server.call("check_mail", event="Stop").result["content"]) == 1
    assert notes(server.call("peer_list")) == [NOTE]


def test_who_edits_a_checkout_is_not_told(serve: Serve, package: Package) -> None:
    server = start(serve, package)
    for path in sorted(package.folder.rglob("*.py")):
        if path != package.folder / "__init__.py":
            path.write_text("raise SystemError('edited')\n")
    assert notes(server.call("peer_list")) == []
    server.close_in()
    assert_clean(server, server.ended())


def test_mail_that_comes_meanwhile_is_delivered(serve: Serve, package: Package, where: Tree) -> None:
    server = start(serve, package)
    package.install_other()
    id_ = post(where, "hello", to="claude", sender="gemini")
    assert "hello" in server.text("peer_read")
    until(lambda: states(where, "gemini") == {"read": [f"{id_}.claude.txt"]})


def test_a_server_that_was_replaced_before_all_was_loaded_ends_in_one_sentence(
    serve: Serve, package: Package, tmp_path: Path
) -> None:
    slow = package.folder / "router/strays.py"
    slow.write_text(
        f"import os, time\nopen({str(tmp_path / 'began')!r}, 'w').close()\n"
        f"while not os.path.exists({str(tmp_path / 'go')!r}):\n    time.sleep(0.01)\n"
    )
    server = serve(argv=[*package.words, "mcp"], PYTHONPATH=str(package.lib))
    number = server.ask_tool("peer_list")
    until((tmp_path / "began").exists)
    package.install_other()
    (tmp_path / "go").touch()
    assert server.ended() == 1
    assert not server.has_replied(number)
    assert server.said() == (f"error: ai-bridge was updated to {NEW} while this process started: start it again\n")
