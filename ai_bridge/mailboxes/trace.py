"""Finds the places of a message: by its ID, or as SENDER/ID, in every state, with the reason if it was set aside."""

import os
from functools import partial

from ai_bridge.errors import Malformed, NoSuchMessage
from ai_bridge.mailboxes.file_names import file_name, label, variant, without_number
from ai_bridge.mailboxes.outbox import (
    ARCHIVED,
    DROPPED,
    ENDED,
    HELD,
    MALFORMED,
    PROCESSING,
    READ,
    REASON,
    STATES,
    UNREAD,
    Outbox,
)
from ai_bridge.mailboxes.states import month_of
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import address, ids, message, reference
from ai_bridge.message.message import Message
from ai_bridge.message.reference import View
from ai_bridge.system import durable, times, untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    Moved = TypeVar("Moved")

# So many recipients are many.
_MANY = 50


class Place:
    """One file of a message: the `outbox` and `state` it is in, its `name`, its `id` and its `recipient`."""

    __slots__ = ("id", "name", "outbox", "recipient", "state")

    def __init__(self, outbox: Outbox, state: str, name: str, recipient: str) -> None:
        self.id = label(name)[0] or name
        self.outbox = outbox
        self.state = state
        self.name = name
        self.recipient = recipient

    @property
    def path(self) -> str:
        """The path of the file, in the state where it was last found."""
        return self.outbox.file(self.state, self.name)

    def at(self) -> str:
        """Return when the file came to its state (RFC 3339, UTC), '' if it is gone. A rename sets its ctime."""
        try:
            changed = os.lstat(self.path).st_ctime
        except OSError:
            return ""
        return times.format_utc(changed)

    def reason(self) -> str | None:
        """Return the reason why it was rejected, is held, or ended unread; None if there is none that can be read."""
        if self.state not in (HELD, MALFORMED, ARCHIVED):
            return None
        try:
            return untrusted.read_file(self.path_of_reason(), 65536).decode("utf-8", "replace").strip()
        except (OSError, Malformed):
            return None

    def path_of_reason(self) -> str:
        """Return the path of the file with the reason; an archived message has one of two kinds, or none."""
        has_ended = self.state == ARCHIVED and not os.path.lexists(self.path + REASON)
        return self.path + (ENDED if has_ended else REASON)

    def raw(self) -> bytes:
        """Return the file's bytes; if the file was moved meanwhile, it is followed, which changes `state`.

        Raises `Malformed` or OSError.
        """
        for _ in STATES:
            try:
                return untrusted.read_delivered(self.path)
            except FileNotFoundError:
                self.follow()
        return untrusted.read_delivered(self.path)

    def follow(self) -> bool:
        """Look for the file in all states, in their order, and set `state`; False if it is in none.

        A file without an ID and a recipient in its name is not looked for, because a move may change such a name.
        """
        states = STATES if label(self.name)[1] else ()
        for state in states:
            if self.outbox.has_file(state, self.name):
                self.state = state
                return True
        return False

    def load(self) -> Message:
        """Return the message, as `raw` finds it; raises `Malformed` or OSError."""
        return message.parse(self.raw())


def without_reason(place: Place, move: "Callable[[], Moved]") -> "Moved":
    """Remove the reason of a file, then make the move; if that fails, write the reason again.

    The reason goes first, because a router may write a new one as soon as the file is back.
    """
    reason, beside = place.reason(), place.path_of_reason()
    if reason is not None:
        durable.remove(beside)
    try:
        return move()
    except OSError:
        if reason is not None:
            durable.replace_own(beside, f"{reason}\n".encode())
        raise


def by_message(places: list[Place]) -> list[list[Place]]:
    """Return the places grouped by message: those of one ID in one outbox, one place per recipient."""
    grouped: dict[tuple[str, str], list[Place]] = {}
    for place in places:
        grouped.setdefault((place.outbox.owner, place.id), []).append(place)
    return list(grouped.values())


def find(mailboxes: Tree, text: str, view: View | None = None) -> list[Place]:
    """Return every place of one message, by its ID, by `SENDER/ID` or by its file's name.

    Raises `NoSuchMessage`, or `SeveralMessages` if several have the ID and the caller's `view` does not decide which
    is meant.
    """
    view = view or View()
    sender, id_ = view.split(text)
    outboxes = mailboxes.outboxes() if id_ else []
    recipients = [outbox.owner for outbox in outboxes]
    meant = [outbox for outbox in outboxes if sender in ("", outbox.owner)]
    for outbox in _with_callers(meant, id_, view.agent):
        if places := _by_name(outbox, id_, recipients):
            return places
    ways = (partial(_by_name, id_=id_, recipients=recipients), partial(_by_content, id_=id_))
    for found in (map(way, meant) for way in (*ways, partial(_in_archive, id_=id_))):
        if by_sender := {places[0].outbox.owner: places for places in found if places}:
            return by_sender[reference.only(id_, _callers(by_sender, view.agent) or by_sender)]
    raise NoSuchMessage(id=text, where=f" in {mailboxes.path}")


def one(mailboxes: Tree, text: str, view: View) -> Place:
    """Return one place of the message that `find` finds; of several with the ID, the one that the agent got or sent.

    No directory of an outbox is listed for an ID of our own form, nor for any other ID of a message that the view's
    agent got or sent. If several messages between others have such an ID, it means that of the agent with which it
    begins. Raises what `find` does.
    """
    sender, id_ = view.split(text)
    if view.agent and ids.is_id(id_):
        outboxes = mailboxes.outboxes()
        own = [outbox.owner for outbox in outboxes]
        found = {
            box.owner: place
            for box in outboxes
            if sender in ("", box.owner)
            if (place := next(_named(box, id_, own if box.owner == view.agent else [view.agent]), None))
        }
        if found:
            return found[reference.only(id_, found)]
        if sender in ("", writer := ids.writer_of(id_)) and writer in own:
            for place in _named(mailboxes.outbox(writer), id_, own):
                return place
    return find(mailboxes, text, view)[0]


def recipients(mailboxes: Tree, place: Place) -> list[str]:
    """Return all agents that have a file of the message, by the names of these files; lists no outbox."""
    agents = [outbox.owner for outbox in mailboxes.outboxes()]
    return list(dict.fromkeys(found.recipient for found in _named(place.outbox, place.id, agents)))


def _named(outbox: Outbox, id_: str, agents: list[str]) -> "Iterator[Place]":
    """Yield the places of the files that have the message's name for one of these agents, and are not malformed."""
    for agent in agents:
        name = file_name(id_, agent)
        for state in STATES:
            if state != MALFORMED and outbox.has_file(state, name):
                yield Place(outbox, state, name, agent)


def _with_callers(outboxes: list[Outbox], id_: str, agent: str) -> list[Outbox]:
    """Return, in a list, the outbox that has the message (by its name) for or from the agent; [] if none has.

    In a large tree this is less work than listing all outboxes. Raises `SeveralMessages`.
    """
    if not (agent and ids.is_id(id_)):
        return []
    name, own = file_name(id_, agent), [outbox.owner for outbox in outboxes]
    found = [box for box in outboxes if box.has(name) or (box.owner == agent and _by_name(box, id_, own))]
    if found:
        reference.only(id_, [outbox.owner for outbox in found])
    return found


def _callers(by_sender: dict[str, list[Place]], agent: str) -> list[str]:
    """Return the senders of those messages that are for or from the agent."""
    return [
        sender
        for sender, places in by_sender.items()
        if agent == sender or any(agent in address.split_list(place.recipient) for place in places)
    ]


def _by_name(outbox: Outbox, id_: str, recipients: list[str]) -> list[Place]:
    """Look for files with the message's name; `.read` may be huge, so it is asked for names and not listed."""
    untrusted.freshen(outbox.directory(READ))
    places = [
        Place(outbox, state, name, label(name)[1])
        for state in (DROPPED, PROCESSING, UNREAD, HELD, MALFORMED)
        for name in outbox.visible(state)
        if id_ in (label(name)[0], name)
    ]
    past = (READ, ARCHIVED) if outbox.may_be_archiving else (READ,)
    return places + [
        Place(outbox, state, name, label(name)[1])
        for state in past
        for name in _names_in_past(outbox, state, id_, recipients)
        if outbox.has_file(state, name)
    ]


def _names_in_past(outbox: Outbox, state: str, id_: str, recipients: list[str]) -> list[str]:
    """Return the names under which the message may be read or archived, as `state` says.

    They are made from the recipients. If there are many, and the ID does not begin with the outbox's owner, listing
    the directory is less work.
    """
    own_name = [id_] if id_.endswith(".txt") and "/" not in id_ else []
    if not ids.is_id(id_):
        return own_name
    if state == READ and not ids.is_own_id(id_) and os.path.lexists(outbox.file(READ, older := f"{id_}.txt")):
        outbox.take_over(READ, [older])
    if len(recipients) > _MANY and not id_.startswith(f"{outbox.owner}-"):
        directory = os.path.dirname(outbox.file(state, file_name(id_, outbox.owner)))
        return [name for name in untrusted.listed(directory) if name.startswith(f"{id_}.")] + own_name
    return [file_name(id_, recipient) for recipient in recipients] + own_name


def _in_archive(outbox: Outbox, id_: str) -> list[Place]:
    """Look for archived files that have another name than the message's: a malformed one's, or one with a number."""
    found = []
    for month in {month_of(file_name(id_, outbox.owner)), month_of(variant(id_, 1))}:
        names = untrusted.listed(os.path.join(outbox.directory(ARCHIVED), month))
        found += [name for name in names if name.endswith(".txt") and _is_variant(name, id_)]
    found = [name for name in found if outbox.has_file(ARCHIVED, name)]
    return [Place(outbox, ARCHIVED, name, label(without_number(name))[1]) for name in found]


def _is_variant(name: str, id_: str) -> bool:
    plain = without_number(name)
    return name.startswith(f"{id_}.") or id_ in (plain, plain.removesuffix(".txt"))


def _by_content(outbox: Outbox, id_: str) -> list[Place]:
    """Look into files that do not have the name of a message yet, or never got one."""
    places = []
    for state in (DROPPED, PROCESSING, MALFORMED):
        for name in outbox.visible(state):
            place = Place(outbox, state, name, label(name)[1])
            try:
                found = place.load()
            except (Malformed, OSError):
                continue
            if found.id == id_:
                place.id, place.recipient = found.id, ", ".join(found.recipients)
                places.append(place)
    return places
