"""How urgent a message is, by every way to send: the same header, written only if it says anything."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import anyio
import pytest

import ai_bridge
from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.outbox import UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.contract.ways import Refused, called_send, id_in
from tests.support.checkout import ROOT
from tests.support.command import command
from tests.support.mail import post, route, states

Send = Callable[[Tree, str | None], str]


def _given(urgency: str | None) -> list[str]:
    return [] if urgency is None else ["--urgency", urgency]


def _printed(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout.strip()


def _send(where: Tree, urgency: str | None) -> str:
    return _printed(
        command("send", "gemini", *_given(urgency), "--from", "claude", "--mailboxes", where.path, body="x")
    )


def _reply(where: Tree, urgency: str | None) -> str:
    id_ = post(where, to="claude", sender="gemini")
    return _printed(command("reply", id_, *_given(urgency), "--from", "claude", "--mailboxes", where.path, body="x"))


def _batch(where: Tree, urgency: str | None) -> str:
    line = json.dumps({"body": "x"} | ({} if urgency is None else {"urgency": urgency}))
    words = ("send", "gemini", "--batch", "--urgency", "now", "--from", "claude", "--mailboxes", where.path)
    return _printed(command(*(word for word in words if urgency or word not in ("--urgency", "now")), body=line))


def _shell(where: Tree, urgency: str | None) -> str:
    words = [
        str(ROOT / "management/send.sh"),
        "gemini",
        *_given(urgency),
        "--from",
        "claude",
        "--mailboxes",
        where.path,
    ]
    done = subprocess.run(words, input="x", capture_output=True, text=True, timeout=60, check=False)
    return _printed(done)


def _python(where: Tree, urgency: str | None) -> str:
    try:
        return ai_bridge.Mailboxes(where.path).agent("claude").send("gemini", "x", urgency=urgency).id
    except BridgeError as refusal:
        raise Refused(str(refusal)) from None


async def _asked(where: Tree, urgency: str | None) -> str:
    try:
        return (await ai_bridge.Mailboxes(where.path).agent("claude").asend("gemini", "x", urgency=urgency)).id
    except BridgeError as refusal:
        raise Refused(str(refusal)) from None


def _model(where: Tree, urgency: str | None) -> str:
    words = {"to": "gemini", "body": "x"} | ({} if urgency is None else {"urgency": urgency})
    return id_in(called_send(where, words, "claude"))


WAYS: dict[str, Send] = {
    "send": _send,
    "reply": _reply,
    "batch": _batch,
    "send.sh": _shell,
    "python": _python,
    "python, async": lambda where, urgency: anyio.run(_asked, where, urgency),
    "mcp": _model,
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Send:
    return WAYS[request.param]


@pytest.mark.parametrize(("urgency", "header"), [(None, None), ("next", None), ("now", "now"), ("quiet", "quiet")])
def test_the_header_is_there_if_it_says_anything(
    way: Send, where: Tree, settings: Settings, urgency: str | None, header: str | None
) -> None:
    id_ = way(where, urgency)
    route(where, settings)
    (place,) = trace.find(where, f"claude/{id_}")
    assert (place.state, place.load().get("Urgency")) == (UNREAD, header)


@pytest.mark.parametrize("urgency", ["soon", "", "NOW"])
def test_any_other_word_is_refused_in_one_sentence(way: Send, where: Tree, urgency: str) -> None:
    if urgency == "" and way is WAYS["send.sh"]:
        pytest.skip("an empty option of the shell is none")
    with pytest.raises(Refused, match=r"now.*next.*quiet") as refusal:
        way(where, urgency)
    assert str(refusal.value).strip().count("\n") == 0
    assert states(where, "claude") == {}


def test_a_hand_dropped_file_with_another_word_is_delivered_all_the_same(where: Tree, settings: Settings) -> None:
    with open(where.outbox("claude").file("dropped", "note.txt"), "w") as file:
        file.write("ID: a-1\nFrom: claude\nTo: gemini\nSubject: s\nUrgency: at once!\n\nx")
    assert [step.verb for step in route(where, settings)] == ["deliver"]
