"""Run the server: start without touching the disk, serve both protocol eras, end cleanly on EOF or a signal."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import CallNext, HandlerResult
from mcp.server.lowlevel import NotificationOptions, Server

from ai_bridge import __version__, clients
from ai_bridge.clients.record import Client
from ai_bridge.errors import BridgeError
from ai_bridge.machines.installed import NotWhole
from ai_bridge.machines.presence_pages import HEARTBEAT_S
from ai_bridge.machines.syncthing import nudge
from ai_bridge.server import resources, stdio, tool_calls, tools
from ai_bridge.server.client_session import Session
from ai_bridge.server.instructions import INSTRUCTIONS, instructions
from ai_bridge.server.notifications import Reaching
from ai_bridge.server.tool_calls import Context, caller
from ai_bridge.server.update import Update

# How long the client has to read the last reply after its input has ended.
_LAST_REPLY_S = 1.0


def build(session: Session, reaching: Reaching, update: Update) -> Server[Any]:
    """Return the SDK's server with our tools, resources and instructions."""

    async def list_tools(context: Context, _: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        who = caller(context)
        try:
            agents = await anyio.to_thread.run_sync(session.listing, who, reaching.listed or [])
        except (BridgeError, OSError):  # a call will say what is wrong
            agents = []
        reaching.listed = agents
        reaching.begin(context.session, who)
        return types.ListToolsResult(tools=tools.tools(agents, clients.by_own_name(who.client)))

    async def call_tool(context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        call = partial(tool_calls.call, session, context, params.name, params.arguments or {})
        with _begun(reaching, context, is_by_hook=params.name == "check_mail"):
            return await update.answer(params.name, call)

    async def watch_cancellation(ctx: Context, call_next: CallNext) -> HandlerResult:
        """Leave the messages of a cancelled request unread: its reply is never sent."""
        if ctx.method == "notifications/cancelled":
            session.finish((ctx.params or {}).get("requestId"), taken=False)
        return await call_next(ctx)

    async def offer(ctx: Context, call_next: CallNext) -> HandlerResult:
        """Fit the capabilities that the server offers to the client that connects."""
        result = await call_next(ctx)
        if ctx.method in ("initialize", "server/discover") and isinstance(result, dict):
            _fit(result, clients.by_own_name(_client_name(ctx.params or {})))
        return result

    server: Server[Any] = Server(
        "ai-bridge",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        **resources.handlers(session, reaching),
    )
    server.middleware[:] = [watch_cancellation, offer]
    return server


@contextmanager
def _begun(reaching: Reaching, context: Context, is_by_hook: bool) -> Iterator[None]:
    """Begin to reach the session, after the call if a hook makes it.

    A hook announces what awaits a session that begins, and a push would come on top of that.
    """
    if not is_by_hook:
        reaching.begin(context.session, caller(context))
    try:
        yield
    finally:
        if is_by_hook:
            reaching.begin(context.session, caller(context))


def _client_name(words: Mapping[str, Any]) -> str:
    """Return the name that a client gives itself when it connects, in either protocol era; '' if it gives none."""
    told = words.get("clientInfo") or (words.get("_meta") or {}).get("io.modelcontextprotocol/clientInfo") or {}
    return str(told.get("name", ""))


def _fit(offered: dict[str, Any], client: Client) -> None:
    """Remove the resources from `offered` if the client ignores their updates, and choose the instructions.

    Some clients add tools of their own to every request when a server has resources.
    """
    if client.ignores_updates:
        offered["capabilities"].pop("resources", None)
    offered["instructions"] = instructions(client)


def main(where: str | None, agent: str | None) -> None:
    """Serve one client over standard input and output until it leaves or a signal comes.

    `where` and `agent` are the options --mailboxes and --agent; None if not given. Raises `NotWhole`.
    """
    nudge.begin()
    for refusal in anyio.run(_serve, Session(where, agent)):
        raise refusal


async def _serve(session: Session) -> list[NotWhole]:
    """Serve until the client leaves; returns why the server ended on its own, if it did."""
    refusals: list[NotWhole] = []
    reaching, update = Reaching(session), Update(loads=True)
    server = build(session, reaching, update)
    options = server.create_initialization_options(NotificationOptions(tools_changed=True))
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_end_on_signal, session, reaching, group.cancel_scope)
            group.start_soon(_announce, session)
            group.start_soon(_load, update, refusals, group.cancel_scope)
            async with stdio.streams(session, group.cancel_scope.cancel) as (incoming, outgoing):
                await server.run(incoming, outgoing, options)
                group.cancel_scope.deadline = anyio.current_time() + _LAST_REPLY_S
                reaching.end()
                await anyio.to_thread.run_sync(session.leave)
            group.cancel_scope.cancel()
    finally:
        reaching.end()
        session.close()
    return refusals


async def _load(update: Update, refusals: list[NotWhole], scope: anyio.CancelScope) -> None:
    try:
        await update.load()
    except NotWhole as refusal:
        refusals.append(refusal)
        scope.cancel()


async def _announce(session: Session) -> None:
    """Write at each heartbeat, for other machines, that this session is alive."""
    while True:
        await anyio.sleep(HEARTBEAT_S)
        with suppress(Exception):  # whatever it was, the session goes on
            await anyio.to_thread.run_sync(session.announce)


async def _end_on_signal(session: Session, reaching: Reaching, scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            reaching.end()
            await anyio.to_thread.run_sync(session.leave)
            scope.cancel()
            return
