"""The tools as a client is told of them; together they stay within a budget of tokens."""

from __future__ import annotations

from typing import Any

import mcp_types as types

from ai_bridge.address import tool_part

_READING: dict[str, Any] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "description": "at most so many messages"},
    "peek": {"type": "boolean", "description": "leave them unread"},
    "max_chars": {"type": "integer", "minimum": 1000, "description": "budget of the reply (default 20000)"},
    "acknowledge": {
        "type": "string",
        "enum": ["auto", "manual"],
        "description": "manual: unread until acknowledge_messages",
    },
}
_LOOKS = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
_MARKS = types.ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)
_PREFIX, _SUFFIX = "read_", "_messages"


def reading_tool(agent: str) -> str:
    """Return the name of the tool that reads what `agent` sent."""
    return f"{_PREFIX}{tool_part(agent)}{_SUFFIX}"


def agent_of(tool: str, agents: list[str]) -> str | None:
    """Return the agent whose mail the tool reads, or None where it is no such tool."""
    return next((agent for agent in agents if reading_tool(agent) == tool), None)


def tools(agents: list[str]) -> list[types.Tool]:
    """Return the definitions for one reader whose peers are `agents`."""
    # `a@b` and `a_b` share a tool's name: the first has it, and peer_read(sender=…) reads either.
    by_name = {reading_tool(agent): agent for agent in reversed(agents)}
    return [_reading(agent) for agent in agents if by_name[reading_tool(agent)] == agent] + list(_FIXED)


def schema(tool: str) -> dict[str, Any]:
    """Return the input schema of a tool, by its name."""
    return next((entry.input_schema for entry in _FIXED if entry.name == tool), _object(_READING))


def _reading(agent: str) -> types.Tool:
    return _tool(reading_tool(agent), f"Read unread mail from {agent}.", _READING, _MARKS)


def _tool(
    name: str, description: str, properties: dict[str, Any], annotations: types.ToolAnnotations, *required: str
) -> types.Tool:
    return types.Tool(
        name=name, description=description, input_schema=_object(properties, *required), annotations=annotations
    )


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**made, "required": list(required)} if required else made


_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT, "minItems": 1}

_FIXED = (
    _tool(
        "peer_read",
        "Read your unread mail, oldest first.",
        {**_READING, "sender": {**_TEXT, "description": "only from this agent"}},
        _MARKS,
    ),
    _tool(
        "peer_send",
        "Send mail to an agent, a list of them, or * for all. Returns its ID once it is safe on disk.",
        {
            "to": {"anyOf": [_TEXT, _TEXTS], "description": "address, list, or *"},
            "body": _TEXT,
            "subject": {**_TEXT, "description": "one line"},
            "reply_to": {**_TEXT, "description": "ID of the message you answer"},
        },
        _MARKS,
        "to",
        "body",
    ),
    _tool(
        "peer_wait",
        "Wait for mail; returns when some is unread. Use this instead of polling.",
        {
            "timeout_s": {"type": "number", "minimum": 0, "maximum": 3600, "description": "seconds (default 240)"},
            "sender": {**_TEXT, "description": "only from this agent"},
        },
        _LOOKS,
    ),
    _tool("peer_list", "List the agents, their routers and their unread mail.", {}, _LOOKS),
    _tool(
        "peer_status",
        "Where a message is, for each recipient; without id: who you are and how the mail stands.",
        {"id": {**_TEXT, "description": "message ID"}},
        _LOOKS,
    ),
    _tool("acknowledge_messages", "Mark messages as read.", {"ids": _TEXTS}, _MARKS, "ids"),
)
