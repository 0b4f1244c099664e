"""Completes a hand-dropped file that is plain text, or lacks headers which the router can fill in.

The file is claimed, and its content is replaced at once by the whole message, durably. Until then it is what was
dropped, and from then on a message like any other. It goes back to the outbox, and is routed from there.
"""

import os

from ai_bridge.errors import Malformed, TooLarge
from ai_bridge.mailboxes.compose import DEFAULT_SUBJECT, ISSUED
from ai_bridge.mailboxes.file_names import file_name, label
from ai_bridge.mailboxes.outbox import PROCESSING, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import address, gaps, ids, message
from ai_bridge.message.headers import EXPIRES
from ai_bridge.message.message import Message
from ai_bridge.router.claims import Claims, Writers
from ai_bridge.router.step import Step
from ai_bridge.settings import Settings
from ai_bridge.system import durable, untrusted


class NamesNobody(Malformed):
    sentence = (
        "it has no header lines, and its name names no agent: name it `{example}.txt` or `hello.{example}.txt` "
        "after its recipient (known: {known}), or write a header `To: {example}` and an empty line before the text"
    )


class Completion:
    """Completes the files of one router, which gives its `writers` and its `claims`."""

    __slots__ = ("_claims", "_limit", "_mailboxes", "_writers")

    def __init__(self, mailboxes: Tree, settings: Settings, writers: Writers, claims: Claims) -> None:
        self._mailboxes = mailboxes
        self._limit = settings.max_message_bytes
        self._writers = writers
        self._claims = claims

    def complete(
        self, outbox: Outbox, name: str, found: os.stat_result, partial: Message, agents: set[str]
    ) -> Step | None:
        """Complete a dropped file once it has settled; None if it is gone, or another file by now.

        `found` is the file as it was read, and `partial` what it said. Changes the disk. Raises `Malformed` if it is
        no message even with all headers, or OSError.
        """
        if not self._writers.have_settled(outbox, found):
            return Step("leave", outbox, name, "it is too new to be completed")
        raw = self._whole(outbox, partial)
        if not self._claims.take(outbox, name, found, self._writers.is_network):
            return None
        with self._claims.released_on_trouble(outbox, name):
            made = _put(outbox, name, raw, agents)
        return Step("complete", outbox, name, f"it is {made} now", (made,) if made else ())

    def _whole(self, outbox: Outbox, partial: Message) -> bytes:
        """Return the whole message, with an ID and a date of now, and record the ID on the disk."""
        issue = ids.Issue(os.path.join(self._mailboxes.memory(ISSUED), outbox.owner), outbox.owner)
        date, id_ = issue.next(partial.get(EXPIRES) is not None)
        raw = gaps.filled(partial, id_, date)
        if len(raw) > self._limit:
            raise TooLarge(what="the message", size=len(raw), limit=self._limit)
        issue.save()
        return raw


def understood(outbox: Outbox, name: str, raw: bytes, agents: set[str]) -> tuple[Message, bool]:
    """Return the message in a dropped file, and whether it is whole; if not, the router may complete it.

    Raises `Malformed` if it is no message, and the router may not fill in what it lacks.
    """
    try:
        return message.parse(raw), True
    except Malformed as refusal:
        return _partial(outbox, name, raw, agents, refusal), False


def _partial(outbox: Outbox, name: str, raw: bytes, agents: set[str], refusal: Malformed) -> Message:
    """Return what a file says as far as it goes; raises `refusal` if the router may not fill in the rest.

    A name of our own form is published with its whole message. If such a file is none, it was damaged.
    """
    text = gaps.decoded(raw)
    if text is None or ids.is_own_id(label(name)[0]) or outbox.owner == address.POSTMASTER:
        raise refusal
    if not gaps.begins_like_message(text):
        return gaps.of_plain_text(text, outbox.owner, _recipient(outbox, name, agents), DEFAULT_SUBJECT)
    found = gaps.of_headers(text, outbox.owner, DEFAULT_SUBJECT)
    if found is None:
        raise refusal
    return found


def _recipient(outbox: Outbox, name: str, agents: set[str]) -> str:
    """Return the agent that the name of a plain text means, one of the sender's project first.

    Returns the name itself if only other projects have such an agent. Raises `NamesNobody` if nobody has.
    """
    wanted, project = gaps.recipient_in(name), address.project_of(outbox.owner)
    if project and (own := f"{wanted}@{project}") in agents:
        return own
    if wanted in agents or (address.is_address(wanted) and any(one.startswith(f"{wanted}@") for one in agents)):
        return wanted
    example = next((agent for agent in sorted(agents) if agent != outbox.owner), outbox.owner)
    raise NamesNobody(example=example, known=", ".join(sorted(agents)))


def _put(outbox: Outbox, name: str, raw: bytes, agents: set[str]) -> str:
    """Put the whole message in the place of the claimed file, and release it under its name, which is returned.

    Returns '' if the file is gone. Raises OSError: the file is then as it was, or the whole message.
    """
    made = message.parse(raw)
    temporary = os.path.join(untrusted.real_directory(outbox.temporary), f"{os.getpid()}.{made.id}.txt")
    durable.replace_own(outbox.file(PROCESSING, name), raw, temporary=temporary)
    if len(made.recipients) == 1 and made.recipients[0] in agents:
        proper = file_name(made.id, made.recipients[0])
        try:
            return proper if outbox.move("release", name, proper) else ""
        except FileExistsError:  # the file came with an ID that was used before: the pass compares the two
            return outbox.release(name)
    return outbox.release(name)
