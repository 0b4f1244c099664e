"""The memory of one session: how it was rung for each message, and when. It is a small file of the state directory.

An entry per message says how far the session is: a ring went out (RUNG), it did not arrive (LOST), the session heard
of the message (HEARD), was shown it (SHOWN), or read it (READ).
"""

from __future__ import annotations

RUNG, LOST, HEARD, SHOWN, READ = "rung", "lost", "told", "shown", "read"
_WAKES, _PROCESS, _HOOK = "@wakes", "@process", "@hook"
# So many entries of messages that are not unread any more are kept, for `status`.
_KEPT = 100
NS = 1_000_000_000
HOUR_NS = 3600 * NS


class Entry:
    """How a session was rung for one message.

    `came_ns`: when its file came there. `how`: RUNG, LOST, HEARD, SHOWN or READ. `times`: how many rings there were,
    `rung_ns` when the last of them was, and `by` its means. Times are nanoseconds since the epoch, 0 if not known.
    """

    __slots__ = ("by", "came_ns", "how", "rung_ns", "times")

    def __init__(self, came_ns: int, how: str, times: int = 0, rung_ns: int = 0, by: str = "") -> None:
        self.came_ns = came_ns
        self.how = how
        self.times = times
        self.rung_ns = rung_ns
        self.by = by

    def is_open(self) -> bool:
        """Tell whether the session was rung for the message and has not read it, as far as this says."""
        return self.how in (RUNG, HEARD)

    def become(self, how: str, by: str = "") -> Entry:
        """Return the entry with another `how`, and another means if `by` is given."""
        return Entry(self.came_ns, how, self.times, self.rung_ns, by or self.by)

    def rung(self, at_ns: int, by: str, came_ns: int) -> Entry:
        """Return the entry after one more ring; a file that came since is rung for the first time."""
        times = self.times if self.came_ns == came_ns else 0
        return Entry(came_ns, RUNG, times + 1, at_ns, by)


class Memory:
    """All `entries` of one session, by `<sender>/<file>`, and what else it must not forget.

    `wakes_ns`: when rings began a turn of it, during the last hour. `process`: the key of the client's process that
    the session ran in, '' if that does not matter. `hook_ns`: when a hook ran last while a ring was not heard.
    """

    __slots__ = ("entries", "hook_ns", "process", "wakes_ns")

    def __init__(
        self,
        entries: dict[str, Entry] | None = None,
        wakes_ns: tuple[int, ...] = (),
        process: str = "",
        hook_ns: int = 0,
    ) -> None:
        self.hook_ns = hook_ns
        self.entries = {} if entries is None else entries
        self.wakes_ns = wakes_ns
        self.process = process

    def copy(self, entries: dict[str, Entry] | None = None) -> Memory:
        """Return a memory of its own with these entries in addition, or in place of earlier ones."""
        return Memory({**self.entries, **(entries or {})}, self.wakes_ns, self.process, self.hook_ns)

    def changed(self, name: str, entry: Entry | None) -> Memory:
        """Change this memory: put an entry into it, or remove the one of that name; returns the memory."""
        if entry is not None:
            self.entries[name] = entry
        else:
            self.entries.pop(name, None)
        return self

    def begun(self, process: str) -> Memory:
        """Return the memory of the session as it begins in a process; '' if the process does not matter.

        A session that was not known to run in any process goes on.
        """
        goes_on = bool(process) and not self.process
        return Memory(dict(self.entries) if goes_on else None, self.wakes_ns, process or self.process)

    def woken(self, at_ns: int) -> Memory:
        """Return a memory with one more ring that began a turn; those before the last hour are dropped."""
        wakes = tuple(one for one in self.wakes_ns if at_ns - HOUR_NS < one <= at_ns)
        return Memory(self.entries, (*wakes, at_ns), self.process, self.hook_ns)

    def read(self, gone: set[str]) -> Memory:
        """Return a memory in which the messages in `gone` are read; only the latest of all read ones are kept."""
        entries = {
            name: one.become(READ) if name in gone and one.how != READ else one for name, one in self.entries.items()
        }
        past = sorted((name for name in gone if name in entries), key=lambda name: entries[name].rung_ns)
        for name in past[:-_KEPT]:
            del entries[name]
        return Memory(entries, self.wakes_ns, self.process, self.hook_ns)


def export(memory: Memory) -> bytes:
    """Return the content of a session's file; `parse` reads it."""
    lines = [f"{name}\t{one.came_ns}\t{_said(one)}" for name, one in sorted(memory.entries.items())]
    lines.append(f"{_WAKES}\t{' '.join(map(str, memory.wakes_ns))}\t")
    lines.append(f"{_PROCESS}\t{memory.process}\t")
    lines.append(f"{_HOOK}\t{memory.hook_ns}\t")
    return "\0".join(lines).encode("utf-8", "surrogateescape")


def parse(raw: bytes) -> Memory:
    """Return the memory in a file, also in that of an earlier version; what is malformed is skipped."""
    found = Memory()
    for line in raw.decode("utf-8", "surrogateescape").split("\0"):
        name, value, how = ["", "", *line.rsplit("\t", 2)][-3:]
        if name == _WAKES:
            found.wakes_ns = tuple(int(one) for one in value.split() if _is_number(one))
        elif name == _PROCESS:
            found.process = value
        elif name == _HOOK:
            found.hook_ns = int(value) if _is_number(value) else 0
        elif name and _is_number(value):
            found.entries[name] = _entry(int(value), how)
    return found


def _said(one: Entry) -> str:
    return f"{one.how},{one.times},{one.rung_ns},{one.by}" if one.times else one.how


def _entry(came_ns: int, said: str) -> Entry:
    how, times, rung_ns, by = [*said.split(",", 3), "", "", ""][:4]
    if _is_number(times) and _is_number(rung_ns):
        return Entry(came_ns, how, int(times), int(rung_ns), by)
    return Entry(came_ns, how)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
