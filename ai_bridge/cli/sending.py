"""The work of `send`, with or without click; imports only modules that load fast."""

import os
import sys

from ai_bridge.agents import identity
from ai_bridge.errors import BadText, BridgeError, TooLarge, disk_error
from ai_bridge.mailboxes import changes
from ai_bridge.mailboxes.drop import PartlySent
from ai_bridge.mailboxes.find import find_mailboxes
from ai_bridge.message import ids
from ai_bridge.sending import audience
from ai_bridge.sending.limits import NotSent
from ai_bridge.sending.send import Wanted, check_alone, send
from ai_bridge.system import untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TextIO

    from ai_bridge.mailboxes.compose import Sent
    from ai_bridge.mailboxes.snapshot import Snapshot

_INTERRUPTED = 130


class BadBatchMessage(BridgeError):
    sentence = "line {number} of the batch: {why}; nothing was sent"


class BodyTwice(BridgeError):
    sentence = "{path} holds the body, and {other} holds another: leave one of them out"


class BatchHasBodies(BridgeError):
    sentence = "the lines of a batch hold the bodies: leave -m or --batch out"


class Request:
    """The options and arguments of one `send`, by their names; None if not given."""

    __slots__ = (
        *("agent", "allow_empty", "batch", "context", "decide", "expires", "file", "json", "mailboxes"),
        *("message", "recipient", "reply_to", "sender", "subject", "to_all", "urgency", "voters"),
        "wait_read",
    )

    def __init__(self, **words: object) -> None:
        for name in self.__slots__:
            setattr(self, name, words.get(name))

    agent: str | None
    allow_empty: bool | None
    batch: bool | None
    context: "list[str] | tuple[str, ...] | None"
    decide: str | None
    expires: str | None
    file: str | None
    json: bool | None
    mailboxes: str | None
    message: str | None
    recipient: str | None
    reply_to: str | None
    sender: str | None
    subject: str | None
    to_all: bool | None
    urgency: str | None
    voters: str | None
    wait_read: float | None


def run(request: Request, out: "TextIO | None") -> int:
    """Send, print the ID of each message once it is durable, and wait for receipts if the request asks for them.

    `out` is standard output, None if it is closed. Returns the exit code; raises `BridgeError` or OSError.
    """
    where = find_mailboxes(request.mailboxes, by_client=None)
    flush = _passing_on(where)
    sender = identity.who(where, request.agent if request.sender is None else request.sender).address
    if by_model := _by_client():
        from ai_bridge.agents import person  # a person's own shell may use any address

        person.refuse_clients_as(where, sender)
    numbers, wanted = _wanted(request, where.settings().max_message_bytes)
    where.renew()  # a person, or the program before the pipe, may have taken a while
    where.check()
    by_person = os.isatty(2) and not by_model
    try:
        sent = send(where, sender, wanted, by_person, by_model)
    except BridgeError as refusal:
        raise _with_line(where, sender, numbers, wanted, by_person, refusal) from None
    try:
        _tell(out, sent, bool(request.json))
        if sys.stderr is not None:
            sys.stderr.write(_notes(request, where, sender, sent, by_person or by_model))
        flush()
        return 0 if request.wait_read is None else _await_read(where, sent, sender, request.wait_read)
    except KeyboardInterrupt:  # what was sent stays sent
        return _INTERRUPTED


def _with_line(
    where: "Snapshot", sender: str, numbers: list[int], wanted: list[Wanted], by_person: bool, refusal: BridgeError
) -> BridgeError:
    """Return the refusal, of a batch with the line that is refused by itself, if there is one."""
    if isinstance(refusal, (PartlySent, NotSent)):  # these speak of the whole batch
        return refusal
    for number, one in zip(numbers, wanted, strict=False):
        try:
            check_alone(where, sender, one, by_person)
        except BridgeError as alone:
            return BadBatchMessage(number=number, why=alone)
        except OSError:
            break
    return refusal


def _by_client() -> bool:
    from ai_bridge import clients

    return bool(clients.variable_set())


def _passing_on(where: "Snapshot") -> "Callable[[], None]":
    """Have what is sent passed on to other machines, if a tool does that; returns what tells the tool at once."""
    if not changes.are_passed_on(where.real()):
        return lambda: None
    from ai_bridge.machines.syncthing.nudge import attach, flush

    attach()
    return flush


def _tell(out: "TextIO | None", sent: "list[Sent]", as_json: bool) -> None:
    """Print the IDs of what was sent; if that fails, the refusal names them, because the messages stay sent."""
    if out is None:
        return
    try:
        out.write("".join(_line(one, as_json) for one in sent))
        out.flush()
    except OSError as error:
        ids = ", ".join(one.id for one in sent)
        raise BridgeError(what=f"sent as {ids}, but standard output took nothing: {error.strerror}") from None


def _notes(request: Request, where: "Snapshot", sender: str, sent: "list[Sent]", is_watched: bool) -> str:
    """Return what standard error says: to whom an answer went that names nobody, whom it reaches, who is outside."""
    is_named = request.recipient is not None or ids.is_own_id(request.reply_to or "")
    said = "" if is_named else "".join(f"to {', '.join(one.recipients)}\n" for one in sent)
    said += ("" if request.json else audience.counts(sent)) + audience.notes(where, sent, is_watched)
    recipients = list(dict.fromkeys(recipient for one in sent for recipient in one.recipients))
    if not any("@" in agent for agent in (sender, *recipients)):
        return said
    from ai_bridge.cli import outside  # most mail is between agents without a project

    return said + outside.notes(where, sender, recipients)


def _line(sent: "Sent", as_json: bool) -> str:
    if not as_json:
        return f"{sent.id}\n"
    import json

    rings = {} if sent.rings is None else {"rings": sent.rings}
    return json.dumps({"id": sent.id, "to": sent.recipients, "paths": sent.paths} | rings) + "\n"


def _wanted(request: Request, limit: int) -> tuple[list[int], list[Wanted]]:
    """Return the messages to send, and the number of the line of each if they are a batch."""
    if request.batch:
        _refuse_two_bodies(request)
        lines = _batch(request)
        return [number for number, _ in lines], [_one(request, found["body"], found) for _, found in lines]
    body = _body(request, limit)  # a file that cannot be read is refused for that, whatever standard input holds
    _refuse_two_bodies(request)
    return [], [_one(request, body, {})]


def _refuse_two_bodies(request: Request) -> None:
    """Raise if the request names more than one body; looks at standard input, and never reads or waits for it."""
    said = "-m" if request.message is not None else request.file
    if said in (None, "-"):
        return
    if said == "-m" and request.batch:
        raise BatchHasBodies()
    if said == "-m" and request.file is not None:
        raise BodyTwice(path=said, other="standard input" if request.file == "-" else request.file)
    from ai_bridge.system import pipes  # most bodies come from standard input

    if sys.stdin is not None and pipes.is_given(0):
        raise BodyTwice(path=said, other="standard input")


def _one(request: Request, body: str, line: "dict[str, Any]") -> Wanted:
    """Return the message of the request; what a `line` of a batch says comes first."""
    recipient = line.get("to", request.recipient)
    return Wanted(
        [] if recipient is None else [recipient],
        body,
        line.get("subject", request.subject),
        line.get("reply_to", request.reply_to),
        list(line.get("context", request.context) or []),
        request.decide,
        None if request.voters is None else [request.voters],
        bool(request.allow_empty),
        bool(request.to_all),
        line.get("expires", request.expires),
        line.get("urgency", request.urgency),
    )


# --- the body -------------------------------------------------------------------------------------------


def _body(request: Request, limit: int) -> str:
    if request.message is not None:
        return request.message
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


_BATCH_BYTES = 256 * 1024 * 1024


def _batch(request: Request) -> "list[tuple[int, dict[str, Any]]]":
    """Read the messages of a batch, each with its line's number."""
    from ai_bridge.cli import batch  # most sends are of one message

    raw = _raw(request.file, _BATCH_BYTES)
    if len(raw) > _BATCH_BYTES:
        raise TooLarge(what="the batch", size=f"more than {_BATCH_BYTES}", limit=_BATCH_BYTES)
    return batch.parsed(_text(raw, request.file))


# --- receipts -------------------------------------------------------------------------------------------


def seconds(text: str) -> float | None:
    """Return the number of seconds in `text`, None if it is no number of at least 0."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number >= 0 else None


def _await_read(where: "Snapshot", sent: "list[Sent]", sender: str, timeout_s: float) -> int:
    import gc

    from ai_bridge.cli import receipts

    gc.enable()  # a wait may last
    return receipts.wait(where.tree(), sent, sender, timeout_s, where.settings())
