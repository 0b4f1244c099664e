"""Compose and drop: after `send` returns, the message survives a power cut."""

import os

from ai_bridge.errors import BadSubject, BadText, EmptyBody, NobodyElse, PartlySent, TooLarge, disk_error
from ai_bridge.machines.syncthing import nudge
from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, Outbox, file_name
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.message import address, headers, ids, message
from ai_bridge.message.message import Message
from ai_bridge.system import durable, untrusted

DEFAULT_SUBJECT = "message"
_LOOKS = 5


class Draft:
    """What a sender wants said: everything of a message but its ID and date; `extra` are further headers.

    `hops` tells how many answers deep it is since a person's word, which is 0; None where it answers nothing.
    """

    __slots__ = ("allow_empty", "body", "extra", "hops", "in_reply_to", "recipients", "subject", "thread")

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
    ) -> None:
        self.recipients = recipients
        self.body = body
        self.subject = subject
        self.in_reply_to = in_reply_to
        self.thread = thread
        self.allow_empty = allow_empty
        self.extra = extra or {}
        self.hops = hops


class Sent:
    """What was accepted: the `id`, its `recipients` and the `paths` of the dropped files, in the same order."""

    __slots__ = ("id", "paths", "recipients")

    def __init__(self, id_: str, recipients: list[str], paths: list[str]) -> None:
        self.id = id_
        self.recipients = recipients
        self.paths = paths


def send(mailboxes: Mailboxes, sender: str, draft: Draft, limit: int) -> Sent:
    """Compose one message and drop it for each of its recipients; `limit` is the largest file in bytes.

    Raises a `BridgeError`: nothing was sent then (`PartlySent` says what was, should the disk fail midway).
    """
    return send_batch(mailboxes, sender, [draft], limit)[0]


def send_batch(mailboxes: Mailboxes, sender: str, drafts: list[Draft], limit: int) -> list[Sent]:
    """Send many messages with one flush; in their order, and none of them where one is refused."""
    return post(mailboxes, mailboxes.known(sender), drafts, limit)


def post(mailboxes: Mailboxes, sender: str, drafts: list[Draft], limit: int) -> list[Sent]:
    """Send in the name of anyone who has an outbox, the postmaster too."""
    outbox = mailboxes.outbox(sender)
    issue = ids.Issue(mailboxes.path, sender)
    composed = [_compose(mailboxes, sender, draft, limit, issue) for draft in drafts]
    issue.save()
    _accept(outbox, [file for _, files in composed for file in files])
    return [
        Sent(id_, [file[0] for file in files], [outbox.file(DROPPED, file_name(id_, file[0])) for file in files])
        for id_, files in composed
    ]


# --- compose --------------------------------------------------------------------------------------------


def _compose(
    mailboxes: Mailboxes, sender: str, draft: Draft, limit: int, issue: ids.Issue
) -> tuple[str, list[tuple[str, str, bytes]]]:
    """Return the ID and, for each recipient, (recipient, file name, content)."""
    check_subject(draft.subject)
    if not draft.body and not draft.allow_empty:
        raise EmptyBody()
    recipients = resolve(mailboxes, sender, draft.recipients)
    written, id_ = issue.next()
    files = []
    for recipient in recipients:
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


def resolve(mailboxes: Mailboxes, sender: str, wanted: list[str]) -> list[str]:
    """Return the known agents that `wanted` names, `*` standing for all but the sender; raises `BridgeError`."""
    entries = list(dict.fromkeys(entry for text in wanted for entry in address.split_list(text)))
    if address.EVERYONE in entries:
        from ai_bridge.agents.other_teams import of_own_team

        everyone = of_own_team(mailboxes, [agent for agent in mailboxes.agents() if agent != sender])
        if not everyone:
            raise NobodyElse(sender=sender)
        return everyone
    if not entries:
        address.checked("")
    return list(dict.fromkeys(_meant(mailboxes, entry) for entry in entries))


def _meant(mailboxes: Mailboxes, name: str) -> str:
    """Return the known agent a name means; only a name nobody has is worth asking who is online."""
    if "@" in name or mailboxes.outbox(name).is_there():
        return mailboxes.known(name)
    from ai_bridge.agents.presence import resolve

    return resolve(mailboxes, name)


# --- drop -----------------------------------------------------------------------------------------------


def drop(outbox: Outbox, name: str, raw: bytes, written_ns: int | None = None) -> None:
    """Put one complete file into the outbox, durably; said to be written at that time, if one is given.

    Raises FileExistsError or another OSError.
    """
    _drop(outbox, [(outbox.owner, name, raw)], [], written_ns)


def drop_all(outbox: Outbox, files: list[tuple[str, bytes]]) -> None:
    """Put complete files, each (name, content), into the outbox with one flush, or none of them; raises as `drop`."""
    _drop(outbox, [(outbox.owner, name, raw) for name, raw in files], [])


def _drop(
    outbox: Outbox, files: list[tuple[str, str, bytes]], published: list[str], written_ns: int | None = None
) -> None:
    """Write all, flush, publish all, flush the directory; on failure take back what can be taken back.

    `published` is left holding the names that were published and not taken back.
    """
    folder = untrusted.real_directory(outbox.temporary)
    temporary = [os.path.join(folder, f"{os.getpid()}.{name}") for _, name, _ in files]
    try:
        _write_all(outbox, temporary, [raw for _, _, raw in files])
        if written_ns is not None:
            durable.set_written(temporary[0], written_ns)
        for source, (_, name, _) in zip(temporary, files, strict=True):
            _publish(outbox, source, name)
            published.append(name)
        durable.flush_directory(outbox.path)
        nudge.note(os.path.dirname(outbox.path), *(outbox.file(DROPPED, name) for name in published))
    except BaseException:
        _take_back(outbox, temporary, published)
        raise


def _publish(outbox: Outbox, source: str, name: str) -> None:
    """Give a written file its name; done as well where a router elsewhere has taken it before the answer came.

    A network file system may look at the new name once it has made it, and say that there is no such file.
    """
    try:
        durable.publish(source, outbox.file(DROPPED, name))
    except FileNotFoundError:
        if not os.path.lexists(source) or not _is_somewhere(outbox, name):
            raise
        durable.remove(source)


def _is_somewhere(outbox: Outbox, name: str) -> bool:
    """Look for a file whose name is one of a kind in every state; more than once, for it may be on its way."""
    for _ in range(_LOOKS):
        outbox.freshen()
        if outbox.has(name) or os.path.lexists(outbox.file(MALFORMED, name)):
            return True
    return False


def _write_all(outbox: Outbox, paths: list[str], contents: list[bytes]) -> None:
    one_by_one = len(paths) == 1
    for path, raw in zip(paths, contents, strict=True):
        _write(outbox, path, raw, one_by_one)
    if not one_by_one:
        durable.flush_files(outbox.temporary, paths)


def _write(outbox: Outbox, path: str, raw: bytes, flush: bool) -> None:
    try:
        durable.write_new(path, raw, flush)
    except FileNotFoundError:  # an outbox of the older layout has no .tmp
        outbox.complete()
        durable.write_new(path, raw, flush)


def _take_back(outbox: Outbox, temporary: list[str], published: list[str]) -> None:
    """Remove every trace that is still ours; `published` keeps the names that a router was faster to take."""
    for path in temporary:
        _try_remove(path)
    published[:] = [name for name in published if not _try_remove(outbox.file(DROPPED, name))]


def _try_remove(path: str) -> bool:
    try:
        return durable.remove(path)
    except OSError:
        return False


def _accept(outbox: Outbox, files: list[tuple[str, str, bytes]]) -> None:
    """Drop the files; where the disk refuses, say so and what a router has taken all the same."""
    published: list[str] = []
    try:
        _drop(outbox, files, published)
    except OSError as error:
        refusal = disk_error(outbox.path, error)
        if not published:
            raise refusal from None
        done, missing = ([file for file in files if (file[1] in published) is taken] for taken in (True, False))
        raise PartlySent(
            id=published[0],
            done=", ".join(recipient for recipient, _, _ in done),
            missing=", ".join(recipient for recipient, _, _ in missing),
            why=str(refusal),
        ) from None
