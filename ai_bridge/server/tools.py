"""The definitions of the tools, as a client lists them; together they stay within a budget of tokens."""

from __future__ import annotations

from typing import Any

import mcp_types as types

from ai_bridge import clients
from ai_bridge.clients.record import Client
from ai_bridge.message.address import tool_part
from ai_bridge.message.urgency import URGENCIES
from ai_bridge.message.votes import RULES

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT, "minItems": 1}
_READING: dict[str, Any] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "description": "at most so many"},
    "peek": {"type": "boolean", "description": "leave them unread"},
    "max_chars": {"type": "integer", "minimum": 1000, "description": "default 20000"},
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
# Claude Code shows its model a tool with this mark from the start, and only the names of the others.
_FROM_START = {"anthropic/alwaysLoad": True}
_SHOWN_FROM_START = ("peer_read", "peer_send")
_LIMITS = ("minimum", "maximum", "minItems")
# Arguments that a client with a short list does not list; a call may give them all the same.
_SELDOM = ("max_chars", "acknowledge", "expires", "before")
# For hooks, which call it whether it is listed or not; a model has no use for it.
_UNLISTED = ("check_mail",)


def reading_tool(agent: str) -> str:
    """Return the name of the tool that reads mail from `agent`."""
    return f"{_PREFIX}{tool_part(agent)}{_SUFFIX}"


def agent_of(tool: str, agents: list[str]) -> str | None:
    """Return the agent, one of `agents`, whose mail the tool reads; None if it is no such tool."""
    return next((agent for agent in agents if reading_tool(agent) == tool), None)


def tools(agents: list[str], client: Client = clients.OTHER) -> list[types.Tool]:
    """Return the definitions that a client lists; `agents` are those whose mail has a tool of its own.

    Every agent's reading tool can be called, and peer_read(sender=…) reads from any agent.
    """
    # `a@b` and `a_b` share a tool's name: the first has it.
    by_name = {reading_tool(agent): agent for agent in reversed(agents)}
    own = [agent for agent in agents if by_name[reading_tool(agent)] == agent]
    entries = [*map(_reading, own), *(entry for entry in _FIXED if entry.name not in _UNLISTED)]
    return [_listed(entry, client.listing.is_short) for entry in entries]


def names() -> list[str]:
    """Return the names of all tools that do not depend on the agents, with those that no client lists."""
    return [entry.name for entry in _FIXED]


def schema(tool: str) -> dict[str, Any]:
    """Return the input schema of a tool by its name; that of a reading tool if the name is no fixed one."""
    return next((entry.input_schema for entry in _FIXED if entry.name == tool), _object(_READING))


def _listed(entry: types.Tool, is_short: bool) -> types.Tool:
    """Return a tool as it is listed: without what only the check of a call needs.

    If the list is short, also without the descriptions of its arguments, and without those that few calls need.
    """
    words, needed = entry.input_schema["properties"], entry.input_schema.get("required", [])
    kept = [name for name in words if not (is_short and name in _SELDOM)]
    properties = {name: _plain(words[name], is_short) for name in kept}
    required = {"required": needed} if needed and not is_short else {}
    return types.Tool(
        name=entry.name,
        description=(entry.description or "").partition("; ")[0] if is_short else entry.description,
        input_schema={"type": "object", "properties": properties, **required},
        annotations=entry.annotations,
        _meta=_FROM_START if entry.name in _SHOWN_FROM_START else None,
    )


def _plain(word: Any, is_short: bool) -> Any:
    """Return the schema of an argument without its limits: a call that goes beyond them is refused in words."""
    if isinstance(word, list):
        return [_plain(one, is_short) for one in word]
    if not isinstance(word, dict):
        return word
    left_out = (*_LIMITS, "description") if is_short else _LIMITS
    return {key: _plain(value, is_short) for key, value in word.items() if key not in left_out}


def _reading(agent: str) -> types.Tool:
    return _tool(reading_tool(agent), f"Read mail from {agent}.", {}, _MARKS)


def _tool(
    name: str, description: str, properties: dict[str, Any], annotations: types.ToolAnnotations, *required: str
) -> types.Tool:
    return types.Tool(
        name=name, description=description, input_schema=_object(properties, *required), annotations=annotations
    )


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**made, "required": list(required)} if required else made


_PATHS = {**_TEXTS, "description": "path or path:10-20"}
_TO = {"anyOf": [_TEXT, _TEXTS], "description": "address, #group, list, or *"}
_SENDER = {**_TEXT, "description": "only from this agent"}

_FIXED = (
    _tool(
        "peer_read",
        "Read your unread mail; oldest first, then marked as read.",
        {"sender": _SENDER, **_READING},
        _MARKS,
    ),
    _tool(
        "peer_send",
        "Send mail to an agent, a #group, a list, or * for all; returns its ID once it is safe on disk.",
        {
            "to": _TO,
            "body": _TEXT,
            "subject": {**_TEXT, "description": "one line"},
            "reply_to": {**_TEXT, "description": "ID you answer; 'to' defaults to its sender"},
            "context": _PATHS,
            "decide": {
                "type": "string",
                "enum": list(RULES),
                "description": "ask for votes",
            },
            "urgency": {**_TEXT, "enum": list(URGENCIES)},
            "voters": {**_TEXTS, "description": "who votes (default: to); one not in 'to' judges"},
            "expires": {**_TEXT, "description": "2h, 30d"},
        },
        _MARKS,
        "body",
    ),
    _tool(
        "peer_context",
        "Send file excerpts; they have line numbers and the git commit.",
        {"to": _TO, "paths": _PATHS, "note": {**_TEXT, "description": "what it is about"}},
        _MARKS,
        "to",
        "paths",
    ),
    _tool(
        "peer_wait",
        "Wait for mail; use it instead of polling.",
        {
            "timeout_s": {"type": "number", "minimum": 0, "maximum": 3600, "description": "default 240"},
            "sender": _SENDER,
        },
        _LOOKS,
    ),
    _tool("peer_list", "List the agents; who is online, what they work on, their unread mail.", {}, _LOOKS),
    _tool(
        "peer_history",
        "Past mail: yours, a peer's, a thread's, or all with the words of query.",
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
        "Where a message is (id), how a decision stands (thread), or who you are.",
        {
            "id": _TEXT,
            "thread": _TEXT,
            "working_on": {**_TEXT, "description": "tell the others, in one line"},
        },
        _MARKS,
    ),
    _tool("acknowledge_messages", "Mark messages as read.", {"ids": _TEXTS}, _MARKS, "ids"),
    _tool("check_mail", "For the client's hooks only.", {"event": _TEXT}, _MARKS, "event"),
)
