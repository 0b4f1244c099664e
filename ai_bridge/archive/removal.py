"""Removes an agent: it gets no new mail from then on, and the mail to it and from it goes to the archive."""

from ai_bridge.agents import presence, retirement
from ai_bridge.agents.retired import retired_since
from ai_bridge.archive import archived, wishes
from ai_bridge.archive.movers import Movers
from ai_bridge.archive.wishes import REMOVE, Wish
from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.history.entry import parts_of_name
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes import compose
from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.outbox import DROPPED, HELD, MALFORMED, READ, UNREAD, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import lock_inbox
from ai_bridge.text import counted

# The states of mail that nobody read.
_AWAITED = (DROPPED, UNREAD, HELD)
# A notice names at most so many messages.
_NAMED = 100


class InUse(BridgeError):
    sentence = "a session is {address} now ({holder}): end it, then remove {address}"


class Removal:
    """One removal: how many messages are `archived` in all, and the IDs of the `lost` ones, by sender.

    A message is lost if it was for the agent and nobody read it.
    """

    __slots__ = ("archived", "lost")

    def __init__(self) -> None:
        self.archived = 0
        self.lost: dict[str, list[str]] = {}

    @property
    def unread(self) -> int:
        """The number of messages for the agent that nobody read."""
        return sum(map(len, self.lost.values()))


def remove(mailboxes: Tree, address: str) -> Removal:
    """Retire an agent that lives here, and archive its mail, durably; may be repeated.

    Mail to it that nobody read is archived with the reason, and its senders get a notice. Mail that it wrote stays
    for those who have not read it. Takes the locks of the reader and the card. Raises `InUse` while a session has the
    address, `ReaderBusy`, `LivesElsewhere`, what `cards.put` raises, or `DiskError`: what was moved before stays
    archived.
    """
    Homes(mailboxes).check(address)
    if holder := presence.session(mailboxes, address):
        raise InUse(address=address, holder=holder)
    try:
        with lock_inbox(mailboxes, address):  # what a reader shows just now counts as read
            return _removed(mailboxes, address)
    except OSError as error:
        raise disk_error(error.filename or mailboxes.path, error) from None


def _removed(mailboxes: Tree, address: str) -> Removal:
    retirement.retire(mailboxes, address)
    done, movers, outboxes = Removal(), Movers(mailboxes), mailboxes.outboxes()
    for outbox in outboxes:
        _put_away_unread(outbox, address, done)
        _archive_read(outbox, address, movers, done)
    done.archived += _archive_malformed(mailboxes.outbox(address))
    archived.flush(outboxes, DROPPED, UNREAD, HELD, READ, MALFORMED)
    _tell_senders(mailboxes, address, done.lost)
    return done


def ask(mailboxes: Tree, address: str, by: str) -> str:
    """Ask the machine on which the agent lives to remove it; returns that machine's ID, '' if this one is to do it.

    Writes the wish durably. Raises `DiskError` or OSError.
    """
    homes = Homes(mailboxes)
    if not homes.is_elsewhere(address):
        return ""
    wishes.ask(mailboxes, Wish(REMOVE, address, by))
    return homes.home_of(address)


def _tell_senders(mailboxes: Tree, removed: str, lost: dict[str, list[str]]) -> None:
    """Send each sender one notice of its mail that the removed agent will not read."""
    senders = [one for one in lost if one != removed and not retired_since(mailboxes, one)]
    notices = [(sender, f"removed: {removed}", _notice(removed, lost[sender])) for sender in senders]
    compose.drop_notices(mailboxes, notices)


def _notice(removed: str, ids: list[str]) -> str:
    said = f"{removed} was removed, and did not read {counted(len(ids), 'message')} of yours. They are archived:"
    return "\n".join([said, *ids[:_NAMED], ""])


def _put_away_unread(outbox: Outbox, address: str, done: Removal) -> None:
    """Archive what nobody read of the mail for the agent."""
    for state in _AWAITED:
        for name in outbox.names(state, address):
            if archived.put_away(outbox, f"withdraw {state}", name, f"{address} was removed"):
                done.lost.setdefault(outbox.owner, []).append(label(name)[0] or name)
                done.archived += 1


def _archive_read(outbox: Outbox, address: str, movers: Movers, done: Removal) -> None:
    """Archive what was read of the mail for the agent, and what others read of its own, if it is moved here."""
    is_own = outbox.owner == address
    names = [
        name
        for name in outbox.unordered(READ)
        if (is_own or parts_of_name(name)[1] == address) and movers.is_here(outbox.owner, name)
    ]
    if names:
        archived.remove_stale_reasons(outbox, names)
        done.archived += archived.archive_read(outbox, names)


def _archive_malformed(outbox: Outbox) -> int:
    return sum(bool(archived.archive_malformed(outbox, name)) for name in outbox.unordered(MALFORMED))
