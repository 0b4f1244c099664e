"""Refusals for a model: they name tools, give commands only for its user, and repeat little of a wrong value."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ai_bridge.mailboxes.tree import Tree
from ai_bridge.server import tools
from tests.support.command import command
from tests.support.mail import post
from tests.support.server import Serve
from tests.support.wire import Wire

LONG = "x" * 100_000
MOST = 1500
NAMES = [tool.name for tool in tools.tools(["gemini"])]
# A right value for each argument that must be given.
NEEDED: dict[str, object] = {"to": "gemini", "body": "b", "paths": ["x"], "ids": ["x"], "event": "x"}
# What may hold any text.
RIGHT = ("body", "subject", "note")
TO_USER = "tell your user"


def arguments() -> list[tuple[str, str]]:
    """Return every argument of every tool, and one that no tool has."""
    return [(name, word) for name in NAMES for word in [*tools.schema(name)["properties"], LONG]]


# --- what is repeated -----------------------------------------------------------------------------------


WRONG = {
    "text": LONG,
    "list": [LONG],
    "object": {LONG: LONG},
    "number": 10**4000,
    "texts": [LONG] * 3,
    "escapes": "\u202e" * 100_000,
    "null": None,
    "negative": -7,
    "empty": [],
}


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
def test_no_reply_repeats_much_of_a_wrong_value(claude: Wire, where: Tree, value: object) -> None:
    for tool, word in arguments():
        if isinstance(value, str) and word in RIGHT:
            continue
        needed = {name: NEEDED[name] for name in tools.schema(tool).get("required", [])}
        patience = {"timeout_s": 0} if tool == "peer_wait" else {}
        said = claude.call(tool, **{**patience, **needed, word: value})
        assert len(said.text) < MOST, f"{tool}({word[:9]}): {said.text[:300]}"
        assert not any(wrong in said.text for wrong in ("x" * 201, "0" * 201)), f"{tool}({word[:9]})"


def test_no_reply_repeats_much_of_a_tools_name(claude: Wire, where: Tree) -> None:
    said = claude.refusal(LONG)
    assert said.startswith("error: there is no tool xxx")
    assert len(said) < MOST


def test_no_answer_repeats_much_of_a_resources_address(serve: Serve) -> None:
    server = serve(client="another")
    reply = server.reply(server.ask("resources/read", {"uri": f"mail://{LONG}"}))
    assert "there is no resource mail://xxx" in reply["error"]["message"]
    assert len(json.dumps(reply)) < MOST


def test_both_ends_of_a_long_value_are_repeated(claude: Wire, where: Tree) -> None:
    said = claude.refusal("peer_status", id=f"begin{LONG}end")
    assert "there is no message beginxxx" in said
    assert "xxxend in " in said
    assert "of type 'integer'" in claude.refusal("peer_read", limit=LONG)


# --- whom a refusal speaks to ---------------------------------------------------------------------------

# Only commands raise these: no tool call meets them.
COMMANDS = (
    *(
        "ai_bridge.cli",
        "ai_bridge.install",
        "ai_bridge.health.doctor",
        "ai_bridge.machines.syncthing",
        "ai_bridge.link",
    ),
    *("ai_bridge.agents.handover", "ai_bridge.sending.allow"),
)
BY_COMMANDS = {
    *("RouterRunning", "RouterServesAll", "RouterStays", "RouterFailed", "UnitDiffers"),
    *("NoSuchAttachment", "AmbiguousHash", "CannotRestore", "NameTaken"),
}
_LIST = """
import json, pkgutil, importlib, ai_bridge
for found in pkgutil.walk_packages(ai_bridge.__path__, "ai_bridge."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
from ai_bridge.errors import BridgeError
def below(one):
    for sub in one.__subclasses__():
        yield sub
        yield from below(sub)
print(json.dumps(sorted({(c.__module__, c.__name__, c.sentence, c.for_model) for c in below(BridgeError)})))
"""


def refusals() -> list[tuple[str, str]]:
    """Return each refusal a tool call may meet: its name, and its sentence for a model."""
    listed = subprocess.run([sys.executable, "-c", _LIST], capture_output=True, check=True).stdout
    return [
        (name, for_model or sentence)
        for module, name, sentence, for_model in json.loads(listed)
        if not module.startswith(COMMANDS) and name not in BY_COMMANDS
    ]


def test_every_refusal_names_a_command_or_an_option_to_the_user_only() -> None:
    found = refusals()
    assert {"UnknownAgent", "NoIdentity", "BadArguments", "LivesElsewhere", "NotSent"} <= {name for name, _ in found}
    for name, sentence in found:
        told = sentence.partition(TO_USER)[0]
        for word in ("ai-bridge", "ai-collab", "--"):
            assert word not in told, f"{name}: {sentence}"


def test_a_wrong_address_is_answered_with_the_tool_that_lists_the_right_ones(claude: Wire, where: Tree) -> None:
    told = claude.refusal("peer_send", to="gemni", body="hello")
    known = "known: claude, gemini (peer_list() describes them)"
    assert told == f"error: there is no agent gemni (did you mean gemini?); {known}"


def test_an_unknown_id_is_answered_with_the_tool_that_shows_ids(claude: Wire, where: Tree) -> None:
    told = claude.refusal("peer_status", id="n1")
    assert told == f"error: there is no message n1 in {where.path}: peer_history() shows the IDs"


def test_a_thread_of_no_decision_is_answered_without_a_command(claude: Wire, where: Tree) -> None:
    told = claude.refusal("peer_status", thread=post(where, "hello", to="claude", sender="gemini"))
    assert "belongs to no decision: give the ID that peer_send(decide=…) returned" in told
    assert "ai-bridge" not in told


def test_a_command_repeats_a_whole_path_and_not_a_value_without_end(where: Tree) -> None:
    path = "a/" * 2000
    done = command("send", "gemini", "--agent", "claude", "--context", path, "--mailboxes", where.path, body="x")
    assert f"error: {path}: " in done.stderr
    done = command("status", LONG, "--mailboxes", where.path)
    assert done.stderr.startswith("error: there is no message xxx")
    assert len(done.stderr) < 10_000
