"""Archives old mail: whole threads that ended long ago, and malformed files of that age."""

import time

from ai_bridge.archive import archived, wishes
from ai_bridge.archive.movers import NOBODY, Movers
from ai_bridge.archive.wishes import A_PERSON, ARCHIVE, Wish
from ai_bridge.errors import Malformed, disk_error
from ai_bridge.history.conversations import ended_before
from ai_bridge.history.entry import number_of_thread
from ai_bridge.history.threads import thread_of
from ai_bridge.mailboxes.outbox import DROPPED, HELD, MALFORMED, PROCESSING, READ, UNREAD, Outbox
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# Messages that are moved at once.
_SLICE = 1000
# A thread with a message in one of these states is not over.
_CURRENT = (DROPPED, PROCESSING, UNREAD, HELD)


class Run:
    """One run: the number of `messages` and `threads` archived so far, and how many messages are due in all.

    `elsewhere` counts, by machine, the messages that are due and that another machine moves.
    """

    __slots__ = ("due", "elsewhere", "messages", "threads")

    def __init__(self) -> None:
        self.messages = self.threads = self.due = 0
        self.elsewhere: dict[str, int] = {}


def archive_older(mailboxes: Tree, age_s: float) -> Run:
    """Archive all that is older than `age_s` seconds, and return what was done; raises as `steps`."""
    run = Run()
    for _ in steps(mailboxes, age_s, run):
        pass
    return run


def ask_elsewhere(mailboxes: Tree, age_s: int, run: Run) -> list[str]:
    """Ask each other machine that moves mail of this age to archive it, and return their IDs; raises OSError."""
    for machine in run.elsewhere:
        wishes.ask(mailboxes, Wish(ARCHIVE, str(age_s), A_PERSON, machine))
    return sorted(run.elsewhere)


def steps(mailboxes: Tree, age_s: float, run: Run) -> "Iterator[None]":
    """Archive what is older than `age_s` seconds, as far as this machine moves it; yields after each bit of work.

    A thread counts as a whole, by its last message. One with a message that nobody has read yet is not over, nor one
    with a held message. A malformed file counts for itself. The index is brought up to date, all moves are durable at
    the end, and `run` says how far it is. Raises `NotMailboxes` or `DiskError`: what was moved before stays archived.
    """
    before_s = time.time() - age_s
    plan = _Plan(Snapshot.of(mailboxes), run)
    yield from plan.find(before_s)
    try:
        yield from plan.carry_out()
    except OSError as error:
        raise disk_error(error.filename or mailboxes.path, error) from None


class _Plan:
    """The files that one run is to move: read ones by outbox, and malformed ones."""

    def __init__(self, mailboxes: Tree, run: Run) -> None:
        self._mailboxes, self._run = mailboxes, run
        self._movers = Movers(mailboxes)
        self._outboxes = {outbox.owner: outbox for outbox in mailboxes.outboxes()}
        self._read: dict[str, list[str]] = {}
        self._malformed: list[tuple[Outbox, str]] = []

    def find(self, before_s: float) -> "Iterator[None]":
        """Find what is due, and yield now and then."""
        outboxes = self._outboxes.values()
        current = {(box.owner, name) for box in outboxes for state in _CURRENT for name in box.listed(state)}
        held = {number_of_thread(thread) for box in outboxes for thread in _held_threads(box)}
        read = {box.owner: set(box.listed(READ)) for box in outboxes}
        for number, files in enumerate(ended_before(self._mailboxes, before_s, held)):
            if current.isdisjoint(files) and self._take([one for one in files if one[1] in read.get(one[0], ())]):
                self._run.threads += 1
            if number % _SLICE == 0:
                yield
        stamp = times.format_stamp(max(0, int(before_s * 1e9)))
        for box in outboxes:
            names = [name for name in box.listed(MALFORMED) if box.order(MALFORMED, name)[0] < stamp]
            self._malformed += [(box, name) for name in names if self._is_ours(box.owner, name)]
        self._run.due = sum(map(len, self._read.values())) + len(self._malformed)

    def _take(self, files: list[tuple[str, str]]) -> bool:
        """Plan to move those files of a thread that this machine moves; False if there are none."""
        ours = [(owner, name) for owner, name in files if self._is_ours(owner, name)]
        for owner, name in ours:
            self._read.setdefault(owner, []).append(name)
        return bool(ours)

    def _is_ours(self, owner: str, name: str) -> bool:
        machine = self._movers.machine_of(owner, name)
        if machine not in (self._movers.here, NOBODY):
            self._run.elsewhere[machine] = self._run.elsewhere.get(machine, 0) + 1
        return machine == self._movers.here

    def carry_out(self) -> "Iterator[None]":
        """Move all that was found, slice by slice, then flush; raises OSError."""
        for owner, names in self._read.items():
            archived.remove_stale_reasons(self._outboxes[owner], names)
            for first in range(0, len(names), _SLICE):
                self._run.messages += archived.archive_read(self._outboxes[owner], names[first : first + _SLICE])
                yield
        for box, name in self._malformed:
            self._run.messages += bool(archived.archive_malformed(box, name))
            yield
        archived.flush([self._outboxes[owner] for owner in self._read], READ)
        archived.flush(list({box.owner: box for box, _ in self._malformed}.values()), MALFORMED)


def _held_threads(outbox: Outbox) -> "Iterator[str]":
    """Yield the IDs of the threads of an outbox's held messages."""
    for name in outbox.listed(HELD):
        try:
            yield thread_of(Place(outbox, HELD, name, "").load())
        except (Malformed, OSError):
            continue
