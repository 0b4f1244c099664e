"""What runs on a host: `python -m tests.networks.actors send TO COUNT PER_SECOND | read | look`.

Whose and which mailboxes: as the environment says. A sender prints the ID of each message that was accepted, a
reader `ID TIME NAME` of each it has in its hands, before it acknowledges, and `kept ID` where that failed. What the
postmaster writes is told as `notice: …`; trouble of the disk as `trouble: …`, and then tried again. Any other
exception ends the actor.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from ai_bridge import settings
from ai_bridge.errors import BridgeError
from ai_bridge.inbox import fetch
from ai_bridge.inbox.wait import wait_for_mail
from ai_bridge.machines.syncthing import nudge
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.outbox import REASON, STATES
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.message.address import POSTMASTER
from tests.support.mail import send

_PAUSE_S = 0.2
_TURN_S = 5.0


def _tell(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def _body(number: int) -> str:
    return f"{number}\n" * (1 + number % 200)


def _send_all(where: Tree, agent: str, to: str, count: str, per_second: str) -> None:
    """Send so many messages, one after the other, never faster than that."""
    for number in range(int(count)):
        not_before = time.monotonic() + 1 / float(per_second)
        while not _sent(where, agent, to, number):
            time.sleep(_PAUSE_S)
        time.sleep(max(not_before - time.monotonic(), 0.0))


def _sent(where: Tree, agent: str, to: str, number: int) -> bool:
    try:
        _tell(send(where, agent, Draft([to], _body(number)), 1 << 20).id)
    except (BridgeError, OSError) as trouble:
        _tell(f"trouble: {trouble}")
        return False
    return True


def _read_for_ever(where: Tree, agent: str) -> None:
    while True:
        try:
            loaded = settings.load(where.path)
            while True:
                _read_once(where, agent, loaded)
        except (BridgeError, OSError) as trouble:
            _tell(f"trouble: {trouble}")
            time.sleep(_PAUSE_S)


def _read_once(where: Tree, agent: str, loaded: settings.Settings) -> None:
    lock = unread.lock_inbox(where, agent)
    try:
        for one in fetch.fetch(where, agent, loaded):
            _show(one)
    finally:
        lock.release()
    wait_for_mail(where, agent, loaded, _TURN_S)


def _show(one: Waiting) -> None:
    message = one.load()
    if one.sender == POSTMASTER:
        _tell(f"notice: {message.body.strip()!r}")
        one.acknowledge()
        return
    number = message.body.partition("\n")[0]
    assert message.body == _body(int(number)), "half a message"
    _tell(f"{message.id} {time.time():.6f} {one.name}")
    try:
        gone = one.acknowledge()
    except OSError:
        gone = False
    if not gone:
        _tell(f"kept {message.id}")


def _look(where: Tree, agent: str) -> None:
    """Print the message files by state, every file whose name tells of a conflict, and all reasons, as JSON."""
    found: dict[str, list[str]] = {state: [] for state in STATES}
    for outbox in where.check().outboxes():
        for state in STATES:
            found[state] += outbox.names(state)
    everything = [(folder, name) for folder, _, names in os.walk(where.path) for name in names]
    found["conflicts"] = [name for _, name in everything if "conflict" in name.lower()]
    reasons = [Path(folder, name) for folder, name in everything if name.endswith(REASON)]
    found["reasons"] = [f"{path.name}: {path.read_text().strip()}" for path in reasons]
    print(json.dumps(found))


if __name__ == "__main__":
    _do = {"send": _send_all, "read": _read_for_ever, "look": _look}[sys.argv[1]]
    nudge.begin()  # as every process of ours that lives long
    _do(Tree(os.environ["AI_BRIDGE_MAILBOXES"]), os.environ["AI_BRIDGE_AGENT"], *sys.argv[2:])
