"""The tool calls: check the arguments, one core call, a text. A mistake the model can mend is a tool error."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import mcp_types as types
from mcp.server.context import ServerRequestContext

from ai_bridge import fetch, health, inbox, trace
from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.send import DEFAULT_SUBJECT, Draft, send
from ai_bridge.server import tools
from ai_bridge.server.session import Session
from ai_bridge.text import counted, printable

Context = ServerRequestContext[Any, Any]
Words = dict[str, Any]

_DEFAULT_WAIT_S = 240.0
_SETTLE_PATIENCE_S, _LOOK_S = 2.0, 0.0002


class BadArguments(BridgeError):
    sentence = "{tool} does not take that: {why}"


class NoSuchTool(BridgeError):
    sentence = "there is no tool {tool}: peer_list names the agents whose mail can be read"


def client_name(context: Context) -> str | None:
    """Return the name the connected client gave itself, if it gave one."""
    params = context.session.client_params
    return params.client_info.name if params else None


async def call(session: Session, context: Context, tool: str, words: Words) -> types.CallToolResult:
    """Answer one tool call."""
    try:
        answer = await _answerer(session, context, tool)
        _check(tool, words)
        return _text(await answer(words))
    except BridgeError as refusal:
        return _text(f"error: {refusal}", is_error=True)
    except OSError as error:
        return _text(f"error: {disk_error('the mailboxes', error)}", is_error=True)


async def _answerer(session: Session, context: Context, tool: str) -> Callable[[Words], Awaitable[str]]:
    """Return what answers calls of the tool; raises `NoSuchTool`."""
    client = client_name(context)
    if tool in _PLAIN:
        return partial(_plain, tool, session, client)
    if tool == "peer_wait":
        return partial(_wait, session, context)
    if tool == "peer_read":
        return partial(_read, session, context, None)
    sender = tools.agent_of(tool, await anyio.to_thread.run_sync(session.peers, client))
    if sender is None:
        raise NoSuchTool(tool=tool)
    return partial(_read, session, context, sender)


def _text(text: str, is_error: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=is_error)


def _check(tool: str, words: Words) -> None:
    """Refuse arguments that are not of the tool's schema, in the schema's words."""
    from jsonschema import Draft202012Validator

    for error in Draft202012Validator(tools.schema(tool)).iter_errors(words):
        place = ".".join(str(part) for part in error.absolute_path)
        why = f"it must be {error.schema['description']}" if error.validator == "anyOf" else error.message
        raise BadArguments(tool=tool, why=f"{place}: {why}" if place else why)


# --- read and wait --------------------------------------------------------------------------------------


async def _read(session: Session, context: Context, sender: str | None, words: Words) -> str:
    """Read; should the request be cancelled before its reply is on its way, nothing is acknowledged."""
    request, sender = context.request_id, sender or words.get("sender")
    assert request is not None
    try:
        async with session.turn:
            await _settled(session)
            text = await anyio.to_thread.run_sync(session.read, request, client_name(context), sender, words)
        await anyio.lowlevel.checkpoint()
    except BaseException:
        session.settle(request, taken=False)
        raise
    return text


async def _settled(session: Session) -> None:
    """Wait, within bounds, until what this session was shown before is acknowledged: its client has the reply."""
    with anyio.move_on_after(_SETTLE_PATIENCE_S):
        while session.waiting:
            await anyio.sleep(_LOOK_S)


async def _wait(session: Session, context: Context, words: Words) -> str:
    await _settled(session)
    me = (await anyio.to_thread.run_sync(session.who, client_name(context))).address
    timeout_s, sender = float(words.get("timeout_s", _DEFAULT_WAIT_S)), words.get("sender")
    where, loaded = session.mailboxes, session.settings
    if sender is not None:
        where.known_writer(sender)
    stop = threading.Event()
    wake = fetch.open_wake(where, loaded)
    started = anyio.current_time()

    async def report() -> None:
        elapsed = min(anyio.current_time() - started, timeout_s)
        await context.session.report_progress(elapsed, timeout_s, "waiting for mail")

    def each_sweep() -> bool:
        if not stop.is_set():
            anyio.from_thread.run(report)
        return not stop.is_set()

    waiting = partial(fetch.wait, where, me, loaded, timeout_s, sender, wake, each_sweep)
    try:
        # A limiter of its own: however many wait, they take no thread from the other tools.
        found = await anyio.to_thread.run_sync(waiting, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))
    finally:
        stop.set()
        wake.set()
    return _found_text(me, found, timeout_s)


def _found_text(me: str, found: list[inbox.Waiting], timeout_s: float) -> str:
    if not found:
        return f"No mail for {me} in {timeout_s:g} s. Go on with other work, or wait again."
    senders = ", ".join(sorted({one.sender for one in found}))
    return f"{counted(len(found), 'message')} unread for {me}, from {senders}. Read with peer_read()."


# --- the plain tools ------------------------------------------------------------------------------------


async def _plain(tool: str, session: Session, client: str | None, words: Words) -> str:
    return await anyio.to_thread.run_sync(_PLAIN[tool], session, client, words)


def _send(session: Session, client: str | None, words: Words) -> str:
    me, where = session.who(client).address, session.mailboxes
    to = words["to"]
    in_reply_to, thread = trace.reply_headers(where, words["reply_to"]) if words.get("reply_to") else (None, None)
    draft = Draft(
        to if isinstance(to, list) else [to],
        words["body"],
        words.get("subject", DEFAULT_SUBJECT),
        in_reply_to,
        thread,
    )
    if not words["body"]:
        raise BridgeError(what="the body is empty: say what the other agent should know")
    sent = send(where, me, draft, session.settings.max_message_bytes)
    return f"Sent to {', '.join(sent.recipients)}. ID: {sent.id}"


def _list(session: Session, client: str | None, words: Words) -> str:
    me, where = session.who(client).address, session.mailboxes
    lines = []
    for report in health.examine(where, session.settings, where.agents()):
        you = " (you)" if report.agent == me else ""
        router = "router running" if report.router else "no router: delivered when it reads"
        lines.append(f"{report.agent}{you}: {report.unread.count} unread; {router}")
    return "\n".join(lines)


def _status(session: Session, client: str | None, words: Words) -> str:
    where = session.mailboxes
    if "id" in words:
        return "\n".join(_place_line(place) for place in trace.find(where, words["id"]))
    me = session.who(client)
    report = health.examine(where, session.settings, [me.address])[0]
    return (
        f"You are {me.address} ({me.why}).\nMailboxes: {printable(where.path)}\n"
        f"Router: {report.router or 'none running; your reads deliver your mail'}\n"
        f"Unread for you: {report.unread.count}. Sent by you: {report.dropped.count} waiting for delivery, "
        f"{report.malformed.count} malformed."
    )


def _place_line(place: trace.Place) -> str:
    reason = f": {printable(place.reason)}" if place.reason else ""
    return f"{printable(place.name)} to {place.recipient or '?'}: {place.state} since {place.at}{reason}"


def _acknowledge(session: Session, client: str | None, words: Words) -> str:
    done = inbox.acknowledge(session.mailboxes, session.who(client).address, words["ids"])
    return f"Marked as read: {', '.join(done)}"


_PLAIN = {
    "peer_send": _send,
    "peer_list": _list,
    "peer_status": _status,
    "acknowledge_messages": _acknowledge,
}
