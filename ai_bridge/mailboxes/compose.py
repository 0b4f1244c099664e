"""Composes messages and drops them: the last step of each send, after which they survive a power cut."""

import os

from ai_bridge.errors import BadText, BridgeError, EmptyBody, TooLarge
from ai_bridge.mailboxes.drop import drop_messages
from ai_bridge.mailboxes.file_names import file_name
from ai_bridge.mailboxes.outbox import DROPPED
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import headers, ids, message
from ai_bridge.message.address import POSTMASTER
from ai_bridge.message.headers import EXPIRES
from ai_bridge.message.message import Message

DEFAULT_SUBJECT = "message"
_NOTICE_BYTES = 16_384
# What records the last ID of each sender, for `Tree.memory`.
ISSUED = "issued"


class BadSubject(BridgeError):
    sentence = "the subject holds {what}: a subject is one line of text"


class Draft:
    """A message before it has an ID and a date; `extra` are further headers.

    `hops` is how many answers deep it is since a person last wrote or approved: 0 for a person's own message, None if
    it answers nothing. `project` is the project that short names of recipients mean; None stands for the sender's.
    """

    __slots__ = ("allow_empty", "body", "extra", "hops", "in_reply_to", "project", "recipients", "subject", "thread")

    def __init__(
        self,
        recipients: list[str],
        body: str,
        subject: str = DEFAULT_SUBJECT,
        in_reply_to: str | None = None,
        thread: str | None = None,
        allow_empty: bool = False,
        extra: "dict[str, str] | None" = None,
        hops: int | None = None,
        project: str | None = None,
    ) -> None:
        self.recipients = recipients
        self.body = body
        self.subject = subject
        self.in_reply_to = in_reply_to
        self.thread = thread
        self.allow_empty = allow_empty
        self.extra = extra or {}
        self.hops = hops
        self.project = project


class Sent:
    """An accepted message: its `id`, its `recipients` and the `paths` of the dropped files, in the same order.

    `rings` is how many sessions a message to several rings; None if it is not known.
    """

    __slots__ = ("id", "paths", "recipients", "rings")

    def __init__(self, id_: str, recipients: list[str], paths: list[str]) -> None:
        self.id = id_
        self.recipients = recipients
        self.paths = paths
        self.rings: int | None = None


def compose_and_drop(mailboxes: Tree, sender: str, drafts: list[Draft], limit: int) -> list[Sent]:
    """Compose the drafts and drop them durably, with one flush, in the name of any `sender` that has an outbox.

    Recipients must be known addresses; `limit` is the largest file in bytes. The drafts go in their order, and none
    of them goes if one is refused. Raises a `BridgeError`: nothing was sent then, except that `PartlySent` names what
    was sent before the disk failed.
    """
    outbox = mailboxes.outbox(sender)
    issue = ids.Issue(os.path.join(mailboxes.memory(ISSUED), sender), sender)
    composed = [_compose(sender, draft, limit, issue) for draft in drafts]
    issue.save()
    drop_messages(outbox, [file for _, files in composed for file in files])
    return [
        Sent(id_, [file[0] for file in files], [outbox.file(DROPPED, file_name(id_, file[0])) for file in files])
        for id_, files in composed
    ]


def drop_notices(mailboxes: Tree, notices: "list[tuple[str, str, str]]") -> None:
    """Drop the postmaster's notices, each as (recipient, subject, body); the postmaster itself gets none.

    Raises what `compose_and_drop` raises.
    """
    told = {"Auto-Submitted": "auto-generated"}
    drafts = [Draft([to], body, subject, extra=told) for to, subject, body in notices if to != POSTMASTER]
    if drafts:
        mailboxes.outbox(POSTMASTER).make()
        compose_and_drop(mailboxes, POSTMASTER, drafts, _NOTICE_BYTES)


def check(mailboxes: Tree, sender: str, draft: Draft, limit: int) -> None:
    """Raise what `compose_and_drop` would raise for what the draft says; drops nothing."""
    _compose(sender, draft, limit, ids.Issue(os.path.join(mailboxes.memory(ISSUED), sender), sender))


# --- compose --------------------------------------------------------------------------------------------


def _compose(sender: str, draft: Draft, limit: int, issue: ids.Issue) -> tuple[str, list[tuple[str, str, bytes]]]:
    """Return the ID and, for each recipient, (recipient, file name, content)."""
    check_subject(draft.subject)
    if not draft.body and not draft.allow_empty:
        raise EmptyBody()
    written, id_ = issue.next(EXPIRES in draft.extra)
    files = []
    for recipient in draft.recipients:
        raw = _formatted(Message(_headers(id_, sender, recipient, written, draft), draft.body))
        if len(raw) > limit:
            raise TooLarge(what="the message", size=len(raw), limit=limit)
        files.append((recipient, file_name(id_, recipient), raw))
    return id_, files


def _formatted(made: Message) -> bytes:
    try:
        return message.format_message(made)
    except UnicodeEncodeError as error:  # a lone surrogate
        raise BadText(what="the body", offset=error.start) from None


def _headers(id_: str, sender: str, recipient: str, written: str, draft: Draft) -> dict[str, str]:
    found = {"ID": id_, "From": sender, "To": recipient, "Subject": draft.subject, "Date": written}
    if draft.in_reply_to:
        found["In-Reply-To"] = draft.in_reply_to
    if draft.thread:
        found["Thread"] = draft.thread
    if draft.hops is not None:
        found["Hops"] = str(draft.hops)
    return found | draft.extra


def check_subject(subject: str) -> str:
    """Return the subject if it is one line of text; raises `BadSubject`."""
    if "\n" in subject:
        raise BadSubject(what="a line break")
    if code := headers.control_character(subject):
        raise BadSubject(what=f"the control character {code}")
    return subject
