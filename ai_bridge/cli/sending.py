"""The work of `send`, with or without click; imports only modules that load fast."""

import os
import sys

from ai_bridge import clients, settings
from ai_bridge.agents import identity
from ai_bridge.errors import BadText, BridgeError, TooLarge, disk_error
from ai_bridge.mailboxes import changes
from ai_bridge.mailboxes.compose import DEFAULT_SUBJECT, Draft, Sent, check_subject, compose_and_drop
from ai_bridge.mailboxes.find import find_mailboxes
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.sending import limits
from ai_bridge.system import untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TextIO

    from ai_bridge.settings import Settings

    Wanted = tuple[Draft, list[str]]

_INTERRUPTED = 130


class BadBatchLine(BridgeError):
    sentence = "line {number} of the batch {why}; nothing was sent"


class Request:
    """The options and arguments of one `send`, by their names; None if not given."""

    __slots__ = (
        *("agent", "allow_empty", "batch", "context", "decide", "file", "json"),
        *("mailboxes", "recipient", "reply_to", "sender", "subject", "voters", "wait_read"),
    )

    def __init__(self, **words: object) -> None:
        for name in self.__slots__:
            setattr(self, name, words.get(name))

    agent: str | None
    allow_empty: bool | None
    batch: bool | None
    context: "list[str] | tuple[str, ...] | None"
    decide: str | None
    file: str | None
    json: bool | None
    mailboxes: str | None
    recipient: str
    reply_to: str | None
    sender: str | None
    subject: str | None
    voters: str | None
    wait_read: float | None


def run(request: Request, out: "TextIO | None") -> int:
    """Send, print the ID of each message once it is durable, and wait for receipts if the request asks for them.

    `out` is standard output, None if it is closed. Returns the exit code; raises `BridgeError` or OSError.
    """
    by_client = bool(clients.variable_set())
    where = find_mailboxes(request.mailboxes, by_client=by_client)
    flush = _passing_on(where)
    sender = identity.who(where, request.agent if request.sender is None else request.sender).address
    loaded = settings.load(where.path)
    limit = loaded.max_message_bytes
    wanted = (
        _drafts(where, sender, request, limit)
        if request.batch
        else [_draft(where, sender, request, _body(request, limit))]
    )
    drafts = [draft for draft, _ in wanted]
    _decide(where, sender, request, drafts)
    limits.check(where, sender, drafts, loaded, by_person=not by_client and os.isatty(2))
    sent = compose_and_drop(where, sender, _with_context(where, sender, wanted, loaded, by_client), limit)
    try:
        _tell(out, sent, bool(request.json))
        flush()
        return 0 if request.wait_read is None else _await_read(where, sent, sender, request.wait_read, loaded)
    except KeyboardInterrupt:  # what was sent stays sent
        return _INTERRUPTED


def _passing_on(where: Tree) -> "Callable[[], None]":
    """Have what is sent passed on to other machines, if a tool does that; returns what tells the tool at once."""
    if not changes.are_passed_on(where.path):
        return lambda: None
    from ai_bridge.machines.syncthing.nudge import attach, flush

    attach()
    return flush


def _tell(out: "TextIO | None", sent: list[Sent], as_json: bool) -> None:
    """Print the IDs of what was sent; if that fails, the refusal names them, because the messages stay sent."""
    if out is None:
        return
    try:
        out.write("".join(_line(one, as_json) for one in sent))
        out.flush()
    except OSError as error:
        ids = ", ".join(one.id for one in sent)
        raise BridgeError(what=f"sent as {ids}, but standard output took nothing: {error.strerror}") from None


def _line(sent: Sent, as_json: bool) -> str:
    if not as_json:
        return f"{sent.id}\n"
    import json

    return json.dumps({"id": sent.id, "to": sent.recipients, "paths": sent.paths}) + "\n"


def _draft(where: Tree, sender: str, request: Request, body: str, line: "dict[str, Any] | None" = None) -> "Wanted":
    """Return the draft of the request, and its references to files; the fields of a batch's `line` come first."""
    words = line or {}
    in_reply_to, thread, hops = _reply(where, sender, words.get("reply_to", request.reply_to))
    subject = words.get("subject", request.subject)
    draft = Draft(
        [words.get("to", request.recipient)],
        body,
        DEFAULT_SUBJECT if subject is None else subject,
        in_reply_to,
        thread,
        bool(request.allow_empty),
        hops=hops,
    )
    return draft, list(words.get("context", request.context) or [])


def _reply(where: Tree, sender: str, id_: "str | None") -> "tuple[str | None, str | None, int | None]":
    if not id_:
        return None, None, None
    from ai_bridge.history.threads import reply_headers
    from ai_bridge.message.reference import View

    return reply_headers(where, id_, View(sender))


def _decide(where: Tree, sender: str, request: Request, drafts: list[Draft]) -> None:
    """Change each draft into one that opens a decision, if the request asks for that."""
    if request.decide is None:
        if request.voters is not None:
            raise BridgeError(what="--voters goes with --decide majority or --decide unanimous")
        return
    from ai_bridge.decisions.opening import begin

    for draft in drafts:
        begin(where, sender, draft, request.decide, None if request.voters is None else [request.voters])


def _with_context(
    where: Tree, sender: str, wanted: "list[Wanted]", loaded: "Settings", by_model: bool
) -> list[Draft]:
    """Change the drafts to hold their excerpts; once all are checked, store what does not fit as attachments."""
    drafts = [draft for draft, _ in wanted]
    if not any(references for _, references in wanted):
        return drafts
    from ai_bridge.clients import project
    from ai_bridge.mailboxes import attachments
    from ai_bridge.message import context

    folder = project.folder()
    outbox, contents = where.outbox(where.known_agent(sender)), {}
    for draft, references in wanted:
        check_subject(draft.subject)
        if references:
            prepared = context.prepare(draft.body, references, loaded, folder, by_model)
            draft.body, draft.extra[context.HEADER] = prepared.body, prepared.header
            contents.update(prepared.attached)
    attachments.store(outbox, contents)
    return drafts


# --- the body -------------------------------------------------------------------------------------------


def _body(request: Request, limit: int) -> str:
    raw = _raw(request.file, limit)
    if len(raw) > limit:
        raise TooLarge(what="the body", size=f"more than {limit}", limit=limit)
    return _text(raw, request.file)


def _raw(path: str | None, limit: int) -> bytes:
    """Return the bytes of the file, or of standard input if `path` is None or `-`; at most `limit` + 1 of them."""
    if path is None or path == "-":
        if sys.stdin is None:
            return b""
        if sys.stdin.isatty():
            sys.stderr.write("Type the message; end it with Ctrl-D on a line of its own.\n")
        return untrusted.read_at_most(sys.stdin.buffer, limit + 1)
    try:
        with open(path, "rb") as file:
            return untrusted.read_at_most(file, limit + 1)
    except OSError as error:
        raise disk_error(path, error) from None
    except ValueError:  # a NUL in the path
        raise disk_error(path, FileNotFoundError(2, os.strerror(2), path)) from None


def _text(raw: bytes, path: str | None) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadText(what=path or "standard input", offset=error.start) from None


# --- a batch --------------------------------------------------------------------------------------------

_BATCH_BYTES = 256 * 1024 * 1024
_BATCH_TEXTS = ("body", "subject", "to", "reply_to")


def _drafts(where: Tree, sender: str, request: Request, limit: int) -> "list[Wanted]":
    """Read JSON Lines: objects with `body` and, optionally, `subject`, `to`, `reply_to` and `context`."""
    raw = _raw(request.file, _BATCH_BYTES)
    if len(raw) > _BATCH_BYTES:
        raise TooLarge(what="the batch", size=f"more than {_BATCH_BYTES}", limit=_BATCH_BYTES)
    text = _text(raw, request.file)
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    return [
        _draft(where, sender, request, found["body"], found)
        for found in (_parsed(line, number) for number, line in lines)
    ]


def _parsed(line: str, number: int) -> "dict[str, Any]":
    import json

    try:
        found = json.loads(line)
        json.dumps(found, ensure_ascii=False).encode()  # a lone surrogate is no text
    except (ValueError, RecursionError):
        raise BadBatchLine(number=number, why="is not JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("body"), str):
        raise BadBatchLine(number=number, why="is not an object with a text `body`")
    for key, value in found.items():
        if not _may_hold(key, value):
            texts = ", ".join(_BATCH_TEXTS)
            raise BadBatchLine(
                number=number, why=f"holds {key!r}, but may hold the texts {texts} and a list `context`"
            )
    return found


def _may_hold(key: str, value: object) -> bool:
    if key == "context":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return key in _BATCH_TEXTS and isinstance(value, str)


# --- receipts -------------------------------------------------------------------------------------------


def seconds(text: str) -> float | None:
    """Return the number of seconds in `text`, None if it is no number of at least 0."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number >= 0 else None


def _await_read(where: Tree, sent: list[Sent], sender: str, timeout_s: float, loaded: "Settings") -> int:
    from ai_bridge.cli import receipts

    return receipts.wait(where, sent, sender, timeout_s, loaded)
