"""The inbox as a resource, for clients that subscribe to it; reading the resource acknowledges nothing."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPError

from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.server import tool_calls
from ai_bridge.server.client_session import Session
from ai_bridge.server.notifications import INBOX, Reaching
from ai_bridge.server.tool_calls import Context, caller
from ai_bridge.text import abridge, printable

# Characters of a wrong address that are repeated.
_REPEATED = 200

_RESOURCE = types.Resource(
    uri=INBOX, name="inbox", description="Your unread mail; reading it marks nothing as read.", mime_type="text/plain"
)


def handlers(session: Session, reaching: Reaching) -> dict[str, Any]:
    """Return the handlers of resource requests, by the names of the parameters of the SDK's server."""
    listening = ListenHandler(reaching.bus)

    async def listed(_: Context, __: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=[_RESOURCE])

    async def read(context: Context, words: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        _check(words.uri)
        reaching.begin(context.session, caller(context))
        text = await _unread(session, context)
        return types.ReadResourceResult(
            contents=[types.TextResourceContents(uri=INBOX, mime_type="text/plain", text=text)]
        )

    async def subscribe(context: Context, words: types.SubscribeRequestParams) -> types.EmptyResult:
        return _subscribed(reaching, context, words.uri, True)

    async def unsubscribe(context: Context, words: types.UnsubscribeRequestParams) -> types.EmptyResult:
        return _subscribed(reaching, context, words.uri, False)

    async def listen(context: Context, words: types.SubscriptionsListenRequestParams) -> Any:
        reaching.begin(context.session, caller(context))
        return await reaching.listen(listening, context, words)

    return {
        "on_list_resources": listed,
        "on_read_resource": read,
        "on_subscribe_resource": subscribe,
        "on_unsubscribe_resource": unsubscribe,
        "on_subscriptions_listen": listen,
    }


def _check(uri: str) -> None:
    if uri != INBOX:
        named = abridge(printable(uri), _REPEATED)
        raise MCPError(types.INVALID_PARAMS, f"there is no resource {named}: there is {INBOX}", {"uri": named})


async def _unread(session: Session, context: Context) -> str:
    try:
        return await tool_calls.read(session, context, {"peek": True})
    except BridgeError as refusal:
        raise MCPError(types.INTERNAL_ERROR, refusal.to_model()) from None
    except OSError as error:
        raise MCPError(types.INTERNAL_ERROR, disk_error("the mailboxes", error).to_model()) from None


def _subscribed(reaching: Reaching, context: Context, uri: str, wanted: bool) -> types.EmptyResult:
    _check(uri)
    reaching.begin(context.session, caller(context))
    reaching.subscribe(wanted)
    return types.EmptyResult()
