"""The tool calls: each checks its arguments, makes one core call and returns a text.

A mistake that the model can fix becomes a tool error.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import mcp_types as types
from mcp.server.context import ServerRequestContext

from ai_bridge import clients
from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.reach.ways import MARK
from ai_bridge.server import tools
from ai_bridge.server.client_session import Session
from ai_bridge.server.membership import Caller
from ai_bridge.server.plain_tools import PLAIN, Words
from ai_bridge.server.waiting import Wait
from ai_bridge.text import abridge

Context = ServerRequestContext[Any, Any]

_SETTLE_PATIENCE_S, _LOOK_S = 2.0, 0.0002
# Arguments that hold IDs of messages that the session was shown.
_IDS = ("ids", "id", "reply_to")
# Characters of the schema's message about a wrong value: the message repeats that value.
_REPEATED = 200


class BadArguments(BridgeError):
    sentence = "{tool} does not take that: {why}"


class NoSuchTool(BridgeError):
    sentence = "there is no tool {tool}: peer_list names the agents whose mail can be read"


def caller(context: Context) -> Caller:
    """Return the caller, as far as the client gives its name and its thread."""
    params = context.session.client_params
    meta = context.meta or {}
    keys = [meta.get(client.request_key) for client in clients.ALL if client.request_key]
    key = next((key for key in keys if isinstance(key, str)), "")
    return Caller(params.client_info.name if params else "", key)


async def call(session: Session, context: Context, tool: str, words: Words) -> types.CallToolResult:
    """Answer one tool call; a refusal or an error of the disk becomes a tool error with one sentence."""
    try:
        answer = await _answerer(session, context, tool)
        _check(tool, words)
        if tool != "check_mail":
            session.hear()
        return _text(await answer(words), *_introduction(session, tool))
    except BridgeError as refusal:
        return _text(f"error: {refusal.to_model()}", is_error=True)
    except OSError as error:
        return _text(f"error: {disk_error('the mailboxes', error).to_model()}", is_error=True)


async def _answerer(session: Session, context: Context, tool: str) -> Callable[[Words], Awaitable[str]]:
    """Return the function that answers calls of the tool; raises `NoSuchTool`."""
    if tool in PLAIN:
        return partial(_plain, tool, session, caller(context))
    if tool in AWAITED:
        return partial(AWAITED[tool], session, context)
    sender = tools.agent_of(tool, await anyio.to_thread.run_sync(session.peers, caller(context)))
    if sender is None:
        raise NoSuchTool(tool=tool)
    return partial(read, session, context, sender=sender)


def _introduction(session: Session, tool: str) -> list[str]:
    """Return the session's introduction for its first reply; peer_status gives it itself, and a hook never has it."""
    said = "" if tool == "check_mail" else session.introduction()
    return [f"{MARK} {said}"] if said and tool != "peer_status" else []


def _text(*texts: str, is_error: bool = False) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text) for text in texts], is_error=is_error
    )


def _check(tool: str, words: Words) -> None:
    """Refuse arguments that do not match the tool's schema, in the schema's words; raises `BadArguments`."""
    from jsonschema import Draft202012Validator

    for error in Draft202012Validator(tools.schema(tool)).iter_errors(words):
        place = ".".join(str(part) for part in error.absolute_path)
        why = f"it must be {error.schema['description']}" if error.validator == "anyOf" else error.message
        raise BadArguments(tool=tool, why=abridge(f"{place}: {why}" if place else why, _REPEATED))


# --- read and wait --------------------------------------------------------------------------------------


async def read(session: Session, context: Context, words: Words, sender: str | None = None) -> str:
    """Return the reply to a read of all unread mail, or of that from `sender` if it, or `words`, names one.

    First it waits until earlier replies are settled; simultaneous reads are answered one after the other. If the
    reply marks mail as read, the session keeps the agent's reader lock until the client has taken the reply.
    Raises `BridgeError` or OSError.
    """
    sender = sender or words.get("sender")
    async with session.turn:
        await _settled(session)
        return await _given(session, context, lambda request, who: session.read(request, who, sender, words))


async def check_mail(session: Session, context: Context, words: Words) -> str:
    """Return the answer to a client's hook, as `Session.check` does."""
    await _settled(session)
    return await _given(session, context, lambda request, who: session.check(request, who, words["event"]))


async def _given(session: Session, context: Context, give: Callable[[str | int, Caller], str]) -> str:
    """Return the reply that `give` makes; if the call is cancelled before the reply leaves, its mail stays unread."""
    request = context.request_id
    assert request is not None
    try:
        text = await anyio.to_thread.run_sync(give, request, caller(context))
        await anyio.lowlevel.checkpoint_if_cancelled()
    except BaseException:
        session.finish(request, taken=False)
        raise
    return text


async def _settled(session: Session) -> None:
    """Wait until the mail in earlier replies is acknowledged, but at most `_SETTLE_PATIENCE_S` seconds."""
    with anyio.move_on_after(_SETTLE_PATIENCE_S):
        while session.waiting:
            await anyio.sleep(_LOOK_S)


async def wait(session: Session, context: Context, words: Words) -> str:
    """Return the reply to a wait for unread mail; it acknowledges nothing. Raises `BridgeError` or OSError."""
    await _settled(session)
    one = await anyio.to_thread.run_sync(Wait, session, caller(context), words)
    found = await one.until_mail(context.session.report_progress)
    return await _given(session, context, partial(one.answer, found))


async def _plain(tool: str, session: Session, who: Caller, words: Words) -> str:
    if any(word in words for word in _IDS):
        await _settled(session)
    return await anyio.to_thread.run_sync(PLAIN[tool], session, who, words)


# These await something: mail, or that earlier replies are settled.
AWAITED: dict[str, Callable[[Session, Context, Words], Awaitable[str]]] = {
    "peer_read": read,
    "peer_wait": wait,
    "check_mail": check_mail,
}
