"""The three ways in which clients speak with their models: what a request holds, and how an answer is put.

Source: the clients themselves; of each vendor's interface only what its client needs is here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

Json = dict[str, Any]
Event = tuple[str, Json]  # its name, '' where the vendor gives none, and its data


class Call(NamedTuple):
    """A tool call, as the model's answer."""

    tool: str
    words: Json


Answer = str | Call


class Anthropic:
    """Messages: Claude Code."""

    path = "/v1/messages"

    def new(self, body: Json) -> tuple[list[str], list[str]]:
        """Return the texts and the tool results that came since the model's last answer."""
        texts, results = [], []
        for turn in _since(body["messages"], lambda turn: turn["role"] == "assistant"):
            content = turn["content"]
            for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
                if part["type"] == "text":
                    texts.append(part["text"])
                elif part["type"] == "tool_result":
                    results.append(_text(part.get("content", "")))
        return texts, results

    def events(self, body: Json, answer: Answer, number: int) -> list[Event]:
        """Return an answer as a stream of events."""
        if isinstance(answer, str):
            block: Json = {"type": "text", "text": ""}
            delta, why = {"type": "text_delta", "text": answer}, "end_turn"
        else:
            block = {"type": "tool_use", "id": f"toolu_{number:04d}", "name": answer.tool, "input": {}}
            delta, why = {"type": "input_json_delta", "partial_json": json.dumps(answer.words)}, "tool_use"
        message: Json = {
            "id": f"msg_{number:04d}", "type": "message", "role": "assistant", "model": body.get("model"),
            "content": [], "stop_reason": None, "stop_sequence": None,
            "usage": {"input_tokens": 10, "output_tokens": 1},
        }  # fmt: skip
        ended = {"delta": {"stop_reason": why, "stop_sequence": None}, "usage": {"output_tokens": 5}}
        parts: list[Json] = [
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", **ended},
            {"type": "message_stop"},
        ]
        return [(part["type"], part) for part in parts]


class Google:
    """generateContent: Gemini CLI."""

    path = "enerateContent"

    def new(self, body: Json) -> tuple[list[str], list[str]]:
        texts, results = [], []
        for turn in _since(body["contents"], lambda turn: turn.get("role") == "model"):
            for part in turn["parts"]:
                if "functionResponse" in part:
                    results.append(_text(part["functionResponse"].get("response")))
                elif "text" in part:
                    texts.append(part["text"])
        return texts, results

    def events(self, body: Json, answer: Answer, number: int) -> list[Event]:
        part: Json = {"text": answer}
        if not isinstance(answer, str):
            part = {"functionCall": {"name": answer.tool, "args": answer.words}}
        candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
        usage = {"promptTokenCount": 5, "candidatesTokenCount": 5, "totalTokenCount": 10}
        return [("", {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "of tests"})]


class OpenAI:
    """Responses: Codex CLI. A tool of a server is called as `namespace:tool`."""

    path = "/responses"

    def new(self, body: Json) -> tuple[list[str], list[str]]:
        texts, results = [], []
        for item in _since(body["input"], _is_answer):
            if item.get("type", "message").endswith("_output"):
                results.append(_text(item.get("output")))
            else:
                texts.append(_text(item.get("content", "")))
        return texts, results

    def events(self, body: Json, answer: Answer, number: int) -> list[Event]:
        item = self._item(answer, number)
        response: Json = {"id": f"resp{number}", "object": "response", "status": "in_progress", "output": []}
        usage = {
            "input_tokens": 5, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 10,
        }  # fmt: skip
        added = {"output_index": 0, "item": {**item, "status": "in_progress"}}
        done = {**response, "status": "completed", "output": [item], "usage": usage}
        parts: list[Json] = [
            {"type": "response.created", "response": response},
            {"type": "response.output_item.added", **added},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": done},
        ]
        return [(part["type"], part) for part in parts]

    def _item(self, answer: Answer, number: int) -> Json:
        if isinstance(answer, str):
            content = [{"type": "output_text", "text": answer, "annotations": []}]
            whole = {"type": "message", "id": f"m{number}", "role": "assistant", "content": content}
        else:
            namespace, _, tool = answer.tool.rpartition(":")
            whole = {"type": "function_call", "id": f"fc{number}", "call_id": f"call{number}", "name": tool}
            whole["arguments"] = json.dumps(answer.words)
            if namespace:
                whole["namespace"] = namespace
        return {**whole, "status": "completed"}


Dialect = Anthropic | Google | OpenAI
DIALECTS: tuple[Dialect, ...] = (Anthropic(), Google(), OpenAI())


def _is_answer(item: Json) -> bool:
    return item.get("role") == "assistant" or item.get("type") in ("function_call", "reasoning", "custom_tool_call")


def _since(turns: list[Json], is_answer: Any) -> Iterable[Json]:
    """Return the turns after the last answer of the model."""
    start = next((at for at in range(len(turns), 0, -1) if is_answer(turns[at - 1])), 0)
    return turns[start:]


def _text(content: Any) -> str:
    """Return all text of a content, whatever its shape."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_text(part) for part in content)
    if isinstance(content, dict):
        return next((_text(content[key]) for key in ("text", "content", "output") if key in content), "")
    return ""
