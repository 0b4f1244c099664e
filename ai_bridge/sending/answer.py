"""An answer, and what it takes from the answered message: its thread, its depth, its subject, its recipients."""

from ai_bridge.history import meant
from ai_bridge.history.threads import reply_headers
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.trace import Place
from ai_bridge.message import address
from ai_bridge.message.message import Message
from ai_bridge.message.reference import View
from ai_bridge.text import OF_LANGUAGES, printable, shorten

# How the subject of an answer begins, and the most characters that it has.
_BEGINNING, _LONGEST_SUBJECT = "Re:", 200


def begin(mailboxes: Snapshot, sender: str, draft: Draft, reply_to: str, view: View, to_all: bool) -> str:
    """Turn `draft` into an answer to the message that `reply_to` means; returns the subject that suits the answer.

    A draft without recipients goes to the sender of the answered message and, if `to_all`, to that message's other
    recipients. An answer to the sender's own message goes to that message's recipients. Raises what `meant.message`,
    `trace.one` and `Place.load` do.
    """
    place = _answered(mailboxes, reply_to, view)
    original = place.load()
    draft.in_reply_to, draft.thread, draft.hops = reply_headers(mailboxes, original)
    if not draft.recipients:
        draft.recipients = _recipients(mailboxes, place, original, sender, to_all)
        draft.project = ""  # these are whole addresses
    return subject_to(original.subject)


def _answered(mailboxes: Snapshot, text: str, view: View) -> Place:
    """Return a place of the message that `text` means: an ID, the end of one, or `last`."""
    return meant.message(mailboxes, text, view, lambda id_: trace.one(mailboxes, id_, view))


def subject_to(subject: str) -> str:
    """Return the subject of an answer: `Re: <subject>`, with one `Re:` however many there were.

    Another agent wrote that subject. So what is not seen in it becomes an escape, and a very long one is cut.
    """
    bare = printable(subject, keep=OF_LANGUAGES).strip()
    while bare[: len(_BEGINNING)].lower() == _BEGINNING.lower():
        bare = bare[len(_BEGINNING) :].strip()
    return shorten(f"{_BEGINNING} {bare}", _LONGEST_SUBJECT).strip()


def _recipients(mailboxes: Snapshot, place: Place, original: Message, sender: str, to_all: bool) -> list[str]:
    """Return who gets the answer; the owner of the outbox wrote the message, whatever its header says."""
    writer = place.outbox.owner
    if writer != sender and not to_all:
        return [writer]
    others = [one for one in (writer, *_copies(mailboxes, place, original)) if one != sender]
    return list(dict.fromkeys(others)) or [writer]


def _copies(mailboxes: Snapshot, place: Place, original: Message) -> list[str]:
    """Return the recipients of the message: those of its files, else those in its header."""
    return trace.recipients(mailboxes, place) or [one for one in original.recipients if not address.is_several(one)]
