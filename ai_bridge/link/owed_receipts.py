"""The receipts that a link still owes, in a file of lines, so that `.read`, which may be huge, is never listed.

A batch is added before it is dropped, and flushed right after it was accepted. A power cut between the two may lose
lines. So at each start the receipts of all messages that have not ended are added again.
"""

import json
import os
from contextlib import suppress

from ai_bridge.system import durable

# The file is written again once it has this many lines that no longer count.
_SPARE = 10_000


class Debt:
    """One receipt owed: for the file `name` in the outbox of `called`.

    `agent` is the address in its own team of the agent that gets the receipt. `attempt` is how often the message had
    come back before.
    """

    __slots__ = ("agent", "attempt", "called", "name")

    def __init__(self, called: str, name: str, agent: str, attempt: int = 0) -> None:
        self.called = called
        self.name = name
        self.agent = agent
        self.attempt = attempt

    @property
    def key(self) -> str:
        """The outbox's owner and the file's name, as `called/name`."""
        return f"{self.called}/{self.name}"

    def line(self) -> str:
        """Return the line of the journal that adds this receipt, a JSON list."""
        return json.dumps([self.called, self.name, self.agent, self.attempt]) + "\n"


class Journal:
    """The receipts owed, by outbox and name, in memory and in the file at `path`, which one process uses."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._owed: dict[str, dict[str, Debt]] = {}
        self._lines = 0
        self._dirty = False
        durable.make_directory(os.path.dirname(path))
        with suppress(FileNotFoundError), open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                self._replay(line)
        self._rewrite()

    def _replay(self, line: str) -> None:
        with suppress(ValueError, TypeError, RecursionError):
            said = json.loads(line)
            if isinstance(said, str):
                self._forget(said)
            elif len(said) == 4:
                self._put(Debt(*said))

    def owed(self) -> dict[str, list[Debt]]:
        """Return the receipts owed, by the owner of the outbox."""
        return {called: list(debts.values()) for called, debts in self._owed.items()}

    def __len__(self) -> int:
        return sum(map(len, self._owed.values()))

    def add(self, debts: list[Debt]) -> None:
        """Add these receipts, durably after the next `flush`; raises OSError, and then none of them is added."""
        new = [debt for debt in debts if not self._owes(debt)]
        if new:
            self._append("".join(debt.line() for debt in new))
        for debt in new:
            self._put(debt)

    def has(self, called: str, name: str) -> bool:
        """Tell whether a receipt is owed for that file."""
        return name in self._owed.get(called, {})

    def _owes(self, debt: Debt) -> bool:
        known = self._owed.get(debt.called, {}).get(debt.name)
        return known is not None and known.attempt == debt.attempt

    def strike_out(self, debts: list[Debt]) -> None:
        """Remove receipts that were sent; if a crash undoes that, they are sent once more, which does no harm."""
        self._append("".join(json.dumps(debt.key) + "\n" for debt in debts))
        for debt in debts:
            self._forget(debt.key)
        if self._lines > len(self) + _SPARE:
            self._rewrite()

    def flush(self) -> None:
        """Make all changes since the last flush durable; raises OSError."""
        if self._dirty:
            durable.flush_files(os.path.dirname(self._path), [self._path])
        self._dirty = False

    def _append(self, text: str) -> None:
        durable.append(self._path, text.encode())
        self._lines += text.count("\n")
        self._dirty = True

    def _rewrite(self) -> None:
        debts = [debt for debts in self._owed.values() for debt in debts.values()]
        durable.replace_own(self._path, "".join(debt.line() for debt in debts).encode())
        self._lines = len(debts)

    def _put(self, debt: Debt) -> None:
        self._owed.setdefault(debt.called, {})[debt.name] = debt

    def _forget(self, key: str) -> None:
        called, _, name = key.partition("/")
        debts = self._owed.get(called, {})
        debts.pop(name, None)
        if not debts:
            self._owed.pop(called, None)
