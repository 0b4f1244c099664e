"""The promises of every way to send: the same drop, the same refusals, nothing half done."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ai_bridge.inbox.fetch import fetch
from ai_bridge.mailboxes.outbox import MALFORMED
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.contract.ways import BODIES, WAYS_IN, Refused, WayIn
from tests.support.checkout import ROOT
from tests.support.command import command
from tests.support.mail import LIMIT, route, states


@pytest.fixture(params=WAYS_IN)
def way(request: pytest.FixtureRequest) -> WayIn:
    return WAYS_IN[request.param]


def _arrived(where: Tree, settings: Settings, agent: str = "gemini", sender: str = "claude") -> list[tuple[str, str]]:
    return [(one.id, one.load().body) for one in fetch(where, agent, settings) if one.sender == sender]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_the_body_arrives_byte_for_byte(way: WayIn, where: Tree, settings: Settings, body: str) -> None:
    id_ = way.send(where, "gemini", body)
    assert _arrived(where, settings) == [(id_, body)]
    assert os.listdir(where.outbox("claude").temporary) == []


def test_messages_arrive_in_the_order_they_were_sent(way: WayIn, where: Tree, settings: Settings) -> None:
    sent = [way.send(where, "gemini", str(number)) for number in range(5)]
    assert [id_ for id_, _ in _arrived(where, settings)] == sent


@pytest.mark.parametrize("to", ["gemini, codex", "gemini,codex,gemini", "*"])
def test_each_recipient_gets_one(way: WayIn, where: Tree, settings: Settings, to: str) -> None:
    where.make(["codex"])
    id_ = way.send(where, to, "for all")
    for agent in ("gemini", "codex"):
        assert _arrived(where, settings, agent) == [(id_, "for all")]
    assert _arrived(where, settings, "claude") == []


def test_an_agent_of_a_project_is_reached(way: WayIn, where: Tree, settings: Settings) -> None:
    where.make(["mini@web"])
    id_ = way.send(where, "mini@web", "hi")
    assert _arrived(where, settings, "mini@web") == [(id_, "hi")]


def test_a_short_name_means_an_agent_of_the_senders_project(way: WayIn, where: Tree, settings: Settings) -> None:
    where.make(["claude@web", "mini@api", "mini@web", "minister@web", "codex@web"])
    id_ = way.send(where, "gemini, mini", "hi", sender="claude@web")
    for agent in ("mini@web", "gemini"):
        assert _arrived(where, settings, agent, "claude@web") == [(id_, "hi")]
    assert _arrived(where, settings, "mini@api", "claude@web") == []


@pytest.mark.parametrize("sender", ["claude", "claude@shop"])
def test_a_short_name_of_another_project_is_refused_with_the_addresses(way: WayIn, where: Tree, sender: str) -> None:
    where.make(["claude@shop", "mini@web"])
    with pytest.raises(
        Refused, match=r"mini is no agent (here|of the project [\w-]+), but mini@web is: give the whole"
    ):
        way.send(where, "mini", "hi", sender=sender)
    where.make(["mini@api"])
    with pytest.raises(Refused, match="but mini@api, mini@web are"):
        way.send(where, "mini", "hi", sender=sender)


def test_everybody_means_everybody_of_the_project(way: WayIn, where: Tree, settings: Settings) -> None:
    where.make(["claude@web", "mini@web", "mini@api"])
    id_ = way.send(where, "*", "hi", sender="claude@web")
    arrived = {agent: _arrived(where, settings, agent, "claude@web") for agent in where.agents()}
    assert {agent for agent, mail in arrived.items() if mail} == {"mini@web"}
    assert arrived["mini@web"] == [(id_, "hi")]


REFUSALS = {
    "an unknown recipient": ({"to": "gemni"}, "gemni"),
    "one unknown among several": ({"to": "gemini, nobody"}, "nobody"),
    "no address at all": ({"to": "../x"}, "address"),
    "the postmaster": ({"to": "postmaster"}, "postmaster"),
    "no recipient": ({"to": " , "}, "To is missing|address"),
    "a subject of two lines": ({"subject": "a\nFrom: root"}, "line break|twice"),
    "a control character in the subject": ({"subject": "a\x1b[2J"}, "control character"),
    "a control character beyond ASCII": ({"subject": "a\x85b"}, "control character"),
    "a line separator": ({"subject": "a\u2028b"}, "control character"),
    "a message over the limit": ({"body": "x" * LIMIT}, "over the limit of 1048576"),
    "an unknown sender": ({"sender": "nobody"}, "nobody"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_wrong_is_refused_and_the_next_message_arrives(
    way: WayIn, where: Tree, settings: Settings, case: str
) -> None:
    words, sentence = REFUSALS[case]
    if case == "an unknown sender" and way is WAYS_IN["mcp"]:
        pytest.skip("a client's agent is made known by its first use")
    with pytest.raises(Refused, match=sentence):
        way.send(where, **{"to": "gemini", "body": "b", **words})
    assert set(states(where, "claude")) <= {MALFORMED}
    assert os.listdir(where.outbox("claude").temporary) == []
    id_ = way.send(where, "gemini", "good")
    assert _arrived(where, settings) == [(id_, "good")]


@pytest.mark.parametrize("name", ["python", "cli", "send.sh", "mcp"])
def test_an_empty_body_is_refused(where: Tree, name: str) -> None:
    with pytest.raises(Refused, match="the body is empty"):
        WAYS_IN[name].send(where, "gemini", "")
    assert states(where, "claude") == {}


def test_text_that_is_not_utf8_never_reaches_a_reader(where: Tree, settings: Settings) -> None:
    """`send` sees it itself; the shell cannot look into a body, so there the router refuses and tells."""
    refused = command("send", "gemini", "--from", "claude", "--mailboxes", where.path, body=b"caf\xe9")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "not UTF-8" in refused.stderr
    words = [ROOT / "management/send.sh", "gemini", "--from", "claude", "--mailboxes", where.path]
    subprocess.run(words, input=b"caf\xe9", check=True, capture_output=True)
    assert [step.verb for step in route(where, settings)] == ["reject", "deliver"]
    assert _arrived(where, settings) == []
    (notice,) = fetch(where, "claude", settings)
    assert "not UTF-8" in notice.load().body


@pytest.mark.parametrize("name", WAYS_IN)
@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_a_share_that_is_not_mounted_is_never_written_to(tmp_path: Path, name: str, kind: str) -> None:
    share = tmp_path / "share"
    if kind == "empty":
        share.mkdir()
    with pytest.raises(Refused, match=r"mailboxes|missing"):
        WAYS_IN[name].send(Tree(str(share)), "gemini", "b")
    assert not share.exists() or list(share.iterdir()) == []


@pytest.mark.parametrize("command_", ["cli", "send.sh"])
def test_an_answer_names_its_message_and_thread(where: Tree, settings: Settings, command_: str) -> None:
    first = WAYS_IN["python"].send(where, "gemini", "question")
    fetch(where, "gemini", settings)
    program = [str(ROOT / ".venv/bin/ai-bridge"), "send"] if command_ == "cli" else [str(ROOT / "management/send.sh")]
    if not os.path.exists(program[0]):
        pytest.skip("the command is not installed in this checkout")
    last = first
    for sender, to in (("gemini", "claude"), ("claude", "gemini")):
        words = [*program, to, "--from", sender, "--mailboxes", where.path, "--reply-to", last]
        last = subprocess.run(words, input=b"a", check=True, capture_output=True).stdout.decode().strip()
    (answer,) = [one.load() for one in fetch(where, "gemini", settings) if one.id == last]
    assert answer.thread == first
    assert answer.get("In-Reply-To") != first
    refused = subprocess.run([*words[:-1], "no-such-id"], input=b"a", capture_output=True, check=False)
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert b"there is no message no-such-id" in refused.stderr


def test_the_shell_needs_four_processes(where: Tree, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    words = ["strace", "-f", "-e", "trace=execve", "-o", str(trace), str(ROOT / "management/send.sh")]
    if subprocess.run(["sh", "-c", "command -v strace"], capture_output=True, check=False).returncode:
        pytest.skip("strace is not installed")
    subprocess.run([*words, "gemini", "s", "--from", "claude", "--mailboxes", where.path], input=b"b", check=True)
    started = [line for line in trace.read_text().splitlines() if "execve(" in line and line.endswith("= 0")]
    assert len(started) == 1 + 4
