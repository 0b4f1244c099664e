"""The definitions of the tools, as a client lists them; together they stay within a budget of tokens."""

from __future__ import annotations

from typing import Any

import mcp_types as types

from ai_bridge.message.address import tool_part
from ai_bridge.message.urgency import URGENCIES
from ai_bridge.message.votes import RULES

_READING: dict[str, Any] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "description": "at most this many messages"},
    "peek": {"type": "boolean", "description": "leave them unread"},
    "max_chars": {"type": "integer", "minimum": 1000, "description": "budget of the reply (default 20000)"},
    "acknowledge": {
        "type": "string",
        "enum": ["auto", "manual"],
        "description": "manual: unread until acknowledge_messages",
    },
}
# Hints are left out if a client assumes the same without them.
_LOOKS = types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
_MARKS = types.ToolAnnotations(destructive_hint=False, open_world_hint=False)
_PREFIX, _SUFFIX = "read_", "_messages"
# With more, a list of tools would cost every request of a model more than it is worth.
_MOST_READING = 10


def reading_tool(agent: str) -> str:
    """Return the name of the tool that reads mail from `agent`."""
    return f"{_PREFIX}{tool_part(agent)}{_SUFFIX}"


def agent_of(tool: str, agents: list[str]) -> str | None:
    """Return the agent, one of `agents`, whose mail the tool reads; None if it is no such tool."""
    return next((agent for agent in agents if reading_tool(agent) == tool), None)


def tools(agents: list[str]) -> list[types.Tool]:
    """Return the definitions for one reader whose peers are `agents`.

    At most `_MOST_READING` agents have a reading tool in the list; those without a project come first. The reading
    tools of the others can be called all the same, and peer_read(sender=…) reads from any agent.
    """
    # `a@b` and `a_b` share a tool's name: the first has it.
    by_name = {reading_tool(agent): agent for agent in reversed(agents)}
    own = [agent for agent in agents if by_name[reading_tool(agent)] == agent]
    listed = set(sorted(own, key=lambda agent: "@" in agent)[:_MOST_READING])
    return [_reading(agent) for agent in own if agent in listed] + list(_FIXED)


def schema(tool: str) -> dict[str, Any]:
    """Return the input schema of a tool by its name; that of a reading tool if the name is no fixed one."""
    return next((entry.input_schema for entry in _FIXED if entry.name == tool), _object(_READING))


def _reading(agent: str) -> types.Tool:
    description = f"Read unread mail from {agent}; arguments as for peer_read."
    return _tool(reading_tool(agent), description, _undescribed(_READING), _MARKS)


def _undescribed(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the properties without their descriptions, which another tool with the same properties gives."""
    return {name: {key: said[key] for key in said if key != "description"} for name, said in properties.items()}


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
_PATHS = "files: path or path:10-20"

_FIXED = (
    _tool(
        "peer_read",
        "Read your unread mail, oldest first.",
        {**_READING, "sender": {**_TEXT, "description": "only from this agent"}},
        _MARKS,
    ),
    _tool(
        "peer_send",
        "Send mail to an agent, a list of them, a #group, or * for all. Returns its ID once it is safe on disk.",
        {
            "to": {"anyOf": [_TEXT, _TEXTS], "description": "address, #group, list, or *"},
            "body": _TEXT,
            "subject": {**_TEXT, "description": "one line"},
            "reply_to": {**_TEXT, "description": "ID of the message you answer; without 'to', its sender"},
            "context": {**_TEXTS, "description": _PATHS},
            "decide": {
                "type": "string",
                "enum": list(RULES),
                "description": "ask for a decision: answers begin a line with [LGTM] or [CONTINUE]",
            },
            "expires": {**_TEXT, "description": "2h, 30d: unread by then, it is not shown"},
            "urgency": {**_TEXT, "enum": list(URGENCIES), "description": "default next; quiet starts no turn"},
            "voters": {**_TEXTS, "description": "who votes with you (default: to); one not in 'to' judges a split"},
        },
        _MARKS,
        "body",
    ),
    _tool(
        "peer_context",
        "Share file excerpts, with line numbers and git commit.",
        {
            "to": {"anyOf": [_TEXT, _TEXTS], "description": "address, list, or *"},
            "paths": {**_TEXTS, "description": _PATHS},
            "note": {**_TEXT, "description": "what it is about"},
        },
        _MARKS,
        "to",
        "paths",
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
    _tool("peer_list", "List the agents: who is online, what they work on, their unread mail.", {}, _LOOKS),
    _tool(
        "peer_history",
        "Past mail, newest last: yours, or a peer's, a thread's, or all that contains the words of query.",
        {
            "peer": {**_TEXT, "description": "address"},
            "thread": {**_TEXT, "description": "ID of any of its messages"},
            "query": {**_TEXT, "description": 'words, "a phrase", prefix*'},
            "limit": {"type": "integer", "minimum": 1, "maximum": 100, "description": "default 20"},
            "before": {**_TEXT, "description": "ID: only older ones"},
        },
        _LOOKS,
    ),
    _tool(
        "peer_status",
        "Where a message is (id), how a decision stands (thread), or else who you are and how the mail stands.",
        {
            "id": {**_TEXT, "description": "message ID"},
            "thread": {**_TEXT, "description": "ID"},
            "working_on": {**_TEXT, "description": "tell the others, in one line"},
        },
        _MARKS,
    ),
    _tool("acknowledge_messages", "Mark messages as read.", {"ids": _TEXTS}, _MARKS, "ids"),
    _tool("check_mail", "For the client's hooks only.", {"event": _TEXT}, _MARKS, "event"),
)
