"""The command `hook`: a client's hook asks whether there is mail, as a process of its own that must start fast.

The client's turn goes on even if something is wrong: a refusal is one line on standard error.
"""

import os
import sys
import time
from contextlib import contextmanager, suppress

from ai_bridge import clients
from ai_bridge.agents import identity, presence, session_keys
from ai_bridge.agents.identity import NoIdentity
from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.machines.homes import Homes
from ai_bridge.machines.syncthing import nudge
from ai_bridge.mailboxes.find import NoMailboxes, find_mailboxes
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import OFF
from ai_bridge.system import untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ai_bridge.clients.record import Client
    from ai_bridge.inbox.reply_in_flight import ReplyInFlight
    from ai_bridge.reach.ways import Ways
    from ai_bridge.settings import Settings
    from ai_bridge.system.locks import Holder

# A hook's input holds what the model was asked and what its tools answered.
_INPUT_BYTES = 64 * 1024 * 1024
_TAKEN_S = 2.0
_BEGINS_S = 0.5
# A session, or a shell of it, starts the hook. A process further up belongs to another session.
_STEPS = 2
_VALUES = {"--mailboxes": "where", "--agent": "agent"}


class BadHookInput(BridgeError):
    sentence = "standard input is not what a hook of {client} is given: {why}; this command is for the client to run"


def fast(words: "list[str]") -> None:
    """Run the hook and end the process; return only if click must parse the words, or refuse them."""
    found: dict[str, str] = {}
    rest = iter(words[1:])
    for word in rest:
        name, equals, value = word.partition("=")
        text = value if equals else next(rest, None)
        if name not in _VALUES or text is None:
            return
        found[_VALUES[name]] = text
    if words[:1] and words[0] in [client.name for client in clients.with_hooks()]:
        code = run(words[0], **found)
        sys.stderr.flush()
        os._exit(code)  # skips the interpreter's own shutdown


def run(name: str, where: "str | None" = None, agent: "str | None" = None) -> int:
    """Answer one hook of the client of that name on standard output; returns the exit code."""
    nudge.attach()
    try:
        _answer(name, where, agent)
        nudge.flush()
    except BridgeError as refusal:
        sys.stderr.write(f"error: {refusal}\n")
        return refusal.exit_code
    except OSError as error:
        sys.stderr.write(f"error: {disk_error('the mailboxes', error)}\n")
        return 1
    return 0


def _answer(name: str, where: "str | None", agent: "str | None") -> None:
    from ai_bridge.inbox.empty import is_empty
    from ai_bridge.reach import reconnect, ways

    client, told = clients.by_name(name), _input(name)
    event = told["hook_event_name"]
    _name_session(client, told.get("session_id"))
    try:
        found = find_mailboxes(where, by_client=True)
    except NoMailboxes:  # a project without mail
        return _say(ways.NOTHING, None)
    loaded = found.settings()
    key, me = _session(found, agent, client)
    its = reconnect.ways_after(found, client, key)
    silence = its.silence(event, loaded.reach != OFF)
    if not (me and found.has_outbox(me)) or found.part(Homes).is_elsewhere(me):
        return _say(silence, None)
    answer: tuple[str, ReplyInFlight | None] = (silence, None)
    with _noted(found, client, key, event):
        if loaded.reach != OFF and not is_empty(found, me):
            answer = _mail(found, me, key, its, told, loaded)
    _say(*answer)


@contextmanager
def _noted(where: Tree, client: "Client", key: str, event: str) -> "Iterator[None]":
    """Leave a note of the hook for the session's server: before the mail is looked for if the session works.

    If the session is idle after it, the note comes afterwards: the server would else ring sooner than the hook.
    """
    if not (client.reach.hooks_s and key):
        yield  # this client's server does not ask whether the session works
        return
    from ai_bridge.reach import activity

    if not activity.is_idle_after(event):
        activity.leave_note(where, key, event)
    try:
        yield
    finally:
        if activity.is_idle_after(event):
            activity.leave_note(where, key, event)


def _name_session(client: "Client", session_id: object) -> None:
    """Put the session that the hook is for into the environment, as the client's shells have it."""
    if client.session_variables and isinstance(session_id, str) and session_id:
        with suppress(ValueError):  # a name that no environment holds is no session's
            os.environ[client.session_variables[0]] = session_id


def _input(name: str) -> "dict[str, Any]":
    """Return what the client tells the hook, read from standard input; raises `BadHookInput`."""
    import json

    try:
        told = json.loads(b"" if sys.stdin is None else untrusted.read_at_most(sys.stdin.buffer, _INPUT_BYTES))
    except (ValueError, RecursionError):
        raise BadHookInput(client=name, why="it is not JSON") from None
    if not isinstance(told, dict) or not isinstance(told.get("hook_event_name"), str):
        raise BadHookInput(client=name, why="hook_event_name is missing")
    return told


def _session(where: Tree, agent: "str | None", client: "Client") -> "tuple[str, str]":
    """Return the key of the client's session, and the address whose mail belongs to it.

    The address is '' if the session has none yet, or if another live session has it or may have it. Changes the
    environment: it removes the variables of other clients, in whose shells this client may run.
    """
    own = (*client.shell_variables, *client.session_variables)
    for variable in [name for other in clients.ALL for name in (*other.shell_variables, *other.session_variables)]:
        if variable not in own:
            os.environ.pop(variable, None)
    os.environ.update({name: "1" for name in client.shell_variables if name not in client.session_variables})
    key = session_keys.hook_key(where, client, _STEPS)
    try:
        me = session_keys.remembered(where, key) or identity.who(where, agent).address
    except NoIdentity:
        return key, ""
    live = _live(where, me)
    is_other = live is not None and live.serves.partition(" ")[0] != session_keys.digest(key)
    return key, "" if is_other else me


def _live(where: Tree, me: str) -> "Holder | None":
    """Return the live session of that name; waits until one that begins just now has written down which it is."""
    deadline = time.monotonic() + _BEGINS_S
    while (live := presence.session(where, me)) is not None and not live.pid and time.monotonic() < deadline:
        time.sleep(_BEGINS_S / 100)
    return live


def _mail(
    where: Tree, me: str, key: str, ways: "Ways", told: "dict[str, Any]", loaded: "Settings"
) -> "tuple[str, ReplyInFlight | None]":
    from ai_bridge.inbox import fetch
    from ai_bridge.reach import hook_answer
    from ai_bridge.reach.pace import pace_of
    from ai_bridge.reach.rings import Rings

    event, client = told["hook_event_name"], ways.client
    rings = Rings(where, me, key, pace_of(loaded, client.reach.receipt_s), passing=True)
    if event == client.hooks.begins or _is_cleared(where, me, key, client, told):
        rings.begin_session()  # a session that was resumed or cleared has lost what it was told before
    elif prompt := _prompt(client, told):
        rings.hear_prompt(prompt)
    elif not client.hooks.shows_pushes:
        rings.hear_hook()
    return hook_answer.answer(where, me, loaded, ways, rings, lambda: fetch.fetch(where, me, loaded), event)


def _is_cleared(where: Tree, me: str, key: str, client: "Client", told: "dict[str, Any]") -> bool:
    """Tell whether this is the first hook since the client gave its session another name, and remember that name.

    If a notice of ours begins the turn, the session hears of its mail anyway.
    """
    from ai_bridge.reach.ways import MARK

    own = told.get("session_id")
    if not client.session_variables or not isinstance(own, str):
        return False
    if session_keys.digest(own) in ("", session_keys.digest(key)):
        return False
    if session_keys.remembered(where, own) is not None:
        return False
    session_keys.remember(where, own, me)
    return MARK not in _prompt(client, told)


def _prompt(client: "Client", told: "dict[str, Any]") -> str:
    """Return the text that begins a turn, if this hook is given it; else ''."""
    prompt = told.get("prompt") if told["hook_event_name"] == client.hooks.prompt else ""
    return prompt if isinstance(prompt, str) else ""


def _say(text: str, hand: "ReplyInFlight | None") -> None:
    """Print the answer; acknowledge the mail in it once the client has taken it."""
    taken = False
    try:
        if sys.stdout is None:  # closed by whoever started us
            return
        sys.stdout.buffer.write(f"{text}\n".encode("utf-8", "replace"))
        sys.stdout.buffer.flush()
        taken = hand is not None and _is_taken()
    except OSError as error:
        raise disk_error("standard output", error) from None
    finally:
        if hand is not None:
            sys.stderr.write("".join(f"{sentence}\n" for sentence in hand.finish(taken)))


def _is_taken() -> bool:
    from ai_bridge.system.pipes import is_taken  # most answers hold no mail

    return is_taken(sys.stdout.fileno(), _TAKEN_S)
