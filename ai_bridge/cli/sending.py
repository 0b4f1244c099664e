"""What `send` does, however its words were parsed; imports nothing that a fast start cannot afford."""

import os
import sys

from ai_bridge import identity, mailboxes, settings
from ai_bridge.errors import BadBatchLine, BadText, BridgeError, TooLarge, disk_error
from ai_bridge.mailboxes import Mailboxes
from ai_bridge.send import DEFAULT_SUBJECT, Draft, Sent, send, send_batch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


class Request:
    """The words of one `send`, by the names of its options."""

    __slots__ = (
        "agent",
        "allow_empty",
        "batch",
        "file",
        "json",
        "mailboxes",
        "recipient",
        "reply_to",
        "sender",
        "subject",
    )

    def __init__(self, **words: object) -> None:
        for name in self.__slots__:
            setattr(self, name, words.get(name))

    agent: str | None
    allow_empty: bool | None
    batch: bool | None
    file: str | None
    json: bool | None
    mailboxes: str | None
    recipient: str
    reply_to: str | None
    sender: str | None
    subject: str | None


def run(request: Request, out: "TextIO | None") -> None:
    """Send, and print the ID of each message once it is durable; raises `BridgeError`."""
    where = mailboxes.find(request.mailboxes)
    sender = identity.who(where, request.agent if request.sender is None else request.sender).address
    limit = settings.load(where.path).max_message_bytes
    if request.batch:
        sent = send_batch(where, sender, _drafts(where, request, limit), limit)
    else:
        sent = [send(where, sender, _draft(where, request, _body(request, limit)), limit)]
    _tell(out, sent, bool(request.json))


def _tell(out: "TextIO | None", sent: list[Sent], as_json: bool) -> None:
    """Print what was sent; where the output takes nothing, what was sent stays sent."""
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


def _draft(where: Mailboxes, request: Request, body: str, line: "dict[str, str] | None" = None) -> Draft:
    """Return the draft the request asks for; a batch's line may say otherwise."""
    words = line or {}
    in_reply_to, thread = _reply(where, words.get("reply_to", request.reply_to))
    subject = words.get("subject", request.subject)
    return Draft(
        [words.get("to", request.recipient)],
        body,
        DEFAULT_SUBJECT if subject is None else subject,
        in_reply_to,
        thread,
        bool(request.allow_empty),
    )


def _reply(where: Mailboxes, id_: "str | None") -> "tuple[str | None, str | None]":
    if not id_:
        return None, None
    from ai_bridge.trace import reply_headers

    return reply_headers(where, id_)


# --- the body -------------------------------------------------------------------------------------------


def _body(request: Request, limit: int) -> str:
    raw = _raw(request.file, limit)
    if len(raw) > limit:
        raise TooLarge(what="the body", size=f"more than {limit}", limit=limit)
    return _text(raw, request.file)


def _raw(path: str | None, limit: int) -> bytes:
    """Return at most one byte more than the limit from the file, or from standard input."""
    if path is None or path == "-":
        if sys.stdin is None:
            return b""
        if sys.stdin.isatty():
            sys.stderr.write("Type the message; end it with Ctrl-D on a line of its own.\n")
        return sys.stdin.buffer.read(limit + 1)
    try:
        with open(path, "rb") as file:
            return file.read(limit + 1)
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
_BATCH_KEYS = ("body", "subject", "to", "reply_to")


def _drafts(where: Mailboxes, request: Request, limit: int) -> list[Draft]:
    """Read JSON Lines, each an object with `body` and, if it likes, `subject`, `to` and `reply_to`."""
    raw = _raw(request.file, _BATCH_BYTES)
    if len(raw) > _BATCH_BYTES:
        raise TooLarge(what="the batch", size=f"more than {_BATCH_BYTES}", limit=_BATCH_BYTES)
    text = _text(raw, request.file)
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    return [
        _draft(where, request, found["body"], found) for found in (_parsed(line, number) for number, line in lines)
    ]


def _parsed(line: str, number: int) -> "dict[str, str]":
    import json

    try:
        found = json.loads(line)
        json.dumps(found, ensure_ascii=False).encode()  # a lone surrogate is no text
    except (ValueError, RecursionError):
        raise BadBatchLine(number=number, why="is not JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("body"), str):
        raise BadBatchLine(number=number, why="is not an object with a text `body`")
    for key, value in found.items():
        if key not in _BATCH_KEYS or not isinstance(value, str):
            raise BadBatchLine(number=number, why=f"holds {key!r}, but may hold the texts {', '.join(_BATCH_KEYS)}")
    return found
