"""The mailboxes as one operation sees them: each question is put to the disk once, and the answer is kept."""

from ai_bridge import settings
from ai_bridge.mailboxes.outbox import SUFFIX
from ai_bridge.mailboxes.tree import DIRECTORY, Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self, TypeVar

    from ai_bridge.settings import Settings

    Part = TypeVar("Part")


class Snapshot(Tree):
    """A tree that is checked once, and whose names, outboxes and settings are read at most once.

    An operation makes one, and passes it on as its tree. The messages within the outboxes are looked for each time.
    It is not safe for several threads.
    """

    is_snapshot = True
    __slots__ = ("_entries", "_is_checked", "_parts", "_settings", "_state")

    def __init__(self, path: str, real: str = "") -> None:
        """`real` is the path without symbolic links, if the caller knows it."""
        super().__init__(path)
        self._real = real
        self._state = ""
        self._parts: dict[object, object] = {}
        self.renew()

    @classmethod
    def of(cls, tree: Tree) -> "Snapshot":
        """Return the tree as it is now, or the tree itself if it is the snapshot of an operation that goes on."""
        return tree if isinstance(tree, Snapshot) else cls(tree.path, tree.real())

    def renew(self) -> None:
        """Forget what was read, so that the next questions are put to the disk again."""
        self._entries: dict[str, str] | None = None
        self._is_checked = False
        self._settings: Settings | None = None
        self._parts.clear()

    def tree(self) -> Tree:
        """Return the tree itself, for an operation that goes on: it puts each question to the disk again."""
        found = Tree(self.path)
        found._real = self._real
        return found

    def check(self) -> "Self":
        """Return self, as `Tree.check` does, which is asked only once."""
        if not self._is_checked:
            super().check()
            self._is_checked = True
        return self

    def entries(self) -> dict[str, str]:
        """Return what `Tree.entries` returned at the first call."""
        if self._entries is None:
            self._entries = super().entries()
        return self._entries

    def make(self, addresses: list[str]) -> list[str]:
        """Create what is missing, as `Tree.make` does; what is new is seen from then on."""
        try:
            return super().make(addresses)
        finally:
            self._entries = None

    def has_outbox(self, name: str) -> bool:
        """Tell whether an agent of that address had an outbox at the first look at the tree."""
        return self.entries().get(name + SUFFIX) == DIRECTORY

    def state_directory(self) -> str:
        """Return what `Tree.state_directory` returned at the first call."""
        self._state = self._state or super().state_directory()
        return self._state

    def settings(self) -> "Settings":
        """Return the settings in force, as `settings.load` does at the first call."""
        if self._settings is None:
            self._settings = settings.load(self.path)
        return self._settings

    def part(self, make: "Callable[[Tree], Part]") -> "Part":
        """Return `make(self)`, which is called only once for each `make`."""
        if make not in self._parts:
            self._parts[make] = make(self)
        return self._parts[make]  # type: ignore[return-value]
