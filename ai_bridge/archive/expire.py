"""Mail whose time is over: it goes to the archive unread, and its sender gets a notice."""

from collections.abc import Iterator
from contextlib import suppress

from ai_bridge.archive import archived
from ai_bridge.archive.movers import Movers
from ai_bridge.errors import BridgeError, Malformed
from ai_bridge.mailboxes import compose
from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.outbox import UNREAD, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.message import expiry, ids
from ai_bridge.message.headers import EXPIRES
from ai_bridge.message.message import Message
from ai_bridge.system.locks import Lock
from ai_bridge.text import printable, shorten

# A sweep opens so many messages whose ID is of our form and does not say that they expire: hand-written ones are few.
_OPENED = 500


def put_away(mailboxes: Tree, outbox: Outbox, verb: str, name: str, message: Message, final: str = "") -> str:
    """Archive one message whose time is over, under the name `final` if it is given, and notify its sender.

    Returns the reason, '' if another process was first. Raises OSError.
    """
    why = f"it expired at {message.get(EXPIRES)} before it was read"
    if not archived.put_away(outbox, verb, name, why, wanted=final):
        return ""
    try:
        _tell_sender(mailboxes, outbox, message, label(final or name)[1], why)
    except (BridgeError, OSError) as trouble:
        why += f" (its sender could not be notified: {trouble})"
    return why


def _tell_sender(mailboxes: Tree, outbox: Outbox, message: Message, recipient: str, why: str) -> None:
    body = f"Your message {message.id} to {recipient} was not read: {why}.\nIt is archived, and nobody is shown it.\n"
    subject = f"expired: {shorten(printable(message.subject), 120)}"
    compose.drop_notices(mailboxes, [(outbox.owner, subject, body)])


def is_gone(mailboxes: Tree, one: Waiting) -> bool:
    """Tell whether the time of an unread message is over; if so, archive it.

    A message that cannot be moved just now is still not shown.
    """
    try:
        message = one.load_anyway()
    except (Malformed, OSError):
        return False
    if not expiry.is_over(message):
        return False
    with suppress(OSError):
        put_away(mailboxes, one.outbox, "expire", one.name, message)
    return True


def sweep(mailboxes: Tree, lasting: set[tuple[str, str]]) -> Iterator[str]:
    """Archive all unread mail whose time is over, if this machine moves it; yields a sentence for each, for the log.

    Lists the unread mail of every outbox. `lasting` has the files that do not expire, each as the owner of its outbox
    and its name. The sweep opens only others, and keeps the set up to date. It leaves what a session reads just now
    to the next sweep, and most of much mail that is not likely to expire.
    """
    movers, left = Movers(mailboxes), _OPENED
    listed = [(outbox, name) for outbox in mailboxes.outboxes() for name in outbox.listed(UNREAD)]
    lasting &= {(outbox.owner, name) for outbox, name in listed}
    for outbox, name in listed:
        if (outbox.owner, name) not in lasting and movers.is_here(outbox.owner, name):
            one = Waiting(outbox, name)
            left -= (is_likely_to_last := ids.is_own_id(one.id) and not ids.may_expire(one.id))
            if is_likely_to_last and left < 0:
                continue
            if not _may_end(one):
                lasting.add((outbox.owner, name))
                continue
            with Lock(mailboxes.lock_file("reader", label(name)[1].partition("~")[0])) as lock:
                if lock.acquire("expire", "", 0.0) and is_gone(mailboxes, one):
                    yield f"{name} from {outbox.owner} expired"


def _may_end(one: Waiting) -> bool:
    """Tell whether a message has the header, or cannot be read now."""
    try:
        return one.load_anyway().get(EXPIRES) is not None
    except (Malformed, OSError):
        return True
