"""The shared tree: its path, the outboxes in it, and the directory for what stays on this machine."""

import os

from ai_bridge.errors import BridgeError, Malformed, disk_error
from ai_bridge.mailboxes import adoption, marker, share
from ai_bridge.mailboxes.marker import README
from ai_bridge.mailboxes.outbox import SUFFIX, Outbox
from ai_bridge.message import address
from ai_bridge.system import durable, state_files, untrusted
from ai_bridge.system.directories import memory_of, state_base
from ai_bridge.text import hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self, TypeVar

    Part = TypeVar("Part")

# Files of a tree that no program obeys: a project may commit these.
HARMLESS = (README, ".gitignore", marker.NAME)
AGENTS = "agents"
# What other machines are asked for; made when it is first needed.
ASKED = "asked"
# Directories of the tree that are written to, besides the outboxes: a link there would lead the writing elsewhere.
_OWN = (AGENTS, "allowed", ASKED, "presence")
_TITLE = b"# Mailboxes"
_TITLE_BYTES = 64
# The kinds of what is in the tree's directory.
DIRECTORY, LINK, OTHER = "directory", "link", "other"
# What names the share that holds the tree, for `Tree.memory`.
SHARES = "shares"


class NotMailboxes(BridgeError):
    sentence = "{path} is not a mailboxes directory: {remedy}"
    for_model = "{path} is not a mailboxes directory: tell your user ({remedy})"

    def __init__(self, path: str, remedy: str = "") -> None:
        super().__init__(path=path, remedy=remedy or marker.remedy(path))


class NoAgents(BridgeError):
    sentence = "{path} has no agents yet: run `ai-bridge init`"
    for_model = "{path} has no agents yet: tell your user to run `ai-bridge init`"


class UnknownAgent(BridgeError):
    sentence = "there is no agent {address}{hint}; known: {known} (add one with `ai-bridge init {address}`)"
    for_model = "there is no agent {address}{hint}; known: {known} (peer_list() describes them)"


class NoAddress(UnknownAgent):
    """The name is no address, so no agent can have it."""

    sentence = "there is no agent {address!r}{hint}; known: {known} (several are joined by commas)"
    for_model = "there is no agent {address!r}{hint}; known: {known} (peer_list() describes them)"


class ReservedAddress(BridgeError):
    sentence = "{address} only writes notices: it reads no mail and nobody sends in its name"


class Tree:
    """The tree at `path` (absolute). It puts each question to the disk; a `Snapshot` puts it only once."""

    __slots__ = ("_real", "path")
    # Whether each question is put to the disk only once.
    is_snapshot = False

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self._real = ""

    def __repr__(self) -> str:
        return f"Tree({self.path!r})"

    def check(self) -> "Self":
        """Return self if this is a mailboxes tree; raises `NotMailboxes`.

        An unmounted share looks like an empty directory, or shows what was there before the share was first mounted.
        So an empty directory is never believed, and mailboxes that were once on a share are believed only there. Also
        raises `ShareIsGone`, `DiskError`, `NewerFormat`, and `LinkInside` if a directory of the tree is a symbolic
        link.
        """
        share.check_mounted(self.path, self.memory(SHARES))
        try:
            entries = self.entries()
        except OSError as error:  # a server does not answer
            raise disk_error(self.path, error) from None
        if not _are_of_tree(self.path, entries):
            raise NotMailboxes(path=self.path)
        marker.check(self.path, entries)
        for name in _OWN:
            if entries.get(name) == LINK:
                raise adoption.LinkInside(path=os.path.join(self.path, name))
        return self

    def entries(self) -> "dict[str, str]":
        """Return the kind (`DIRECTORY`, `LINK` or `OTHER`) of each name in the tree's directory.

        Raises `NotMailboxes` if there is no such directory, and OSError if it cannot be listed.
        """
        try:
            with os.scandir(self.path) as entries:
                return {entry.name: _kind(entry) for entry in entries}
        except (FileNotFoundError, NotADirectoryError):
            raise NotMailboxes(path=self.path) from None

    def real(self) -> str:
        """Return the path without symbolic links, as it was at the first call."""
        self._real = self._real or os.path.realpath(self.path)
        return self._real

    def renew(self) -> None:
        """Forget what was read; only a `Snapshot` keeps anything."""

    def part(self, make: "Callable[[Tree], Part]") -> "Part":
        """Return `make(self)`: what belongs to this tree, such as its cards. A `Snapshot` makes each part once."""
        return make(self)

    def memory(self, what: str) -> str:
        """Return the path of the file in which this machine remembers `what` about these mailboxes."""
        return memory_of(what, self.real())

    def _refuse_links(self, *names: str) -> None:
        """Raise `LinkInside` if one of these names in the tree is a symbolic link."""
        for name in names:
            if os.path.islink(path := os.path.join(self.path, name)):
                raise adoption.LinkInside(path=path)

    def refuse_newer(self) -> None:
        """Raise `NewerFormat` if a newer program made this tree; lists the root, which need not exist."""
        marker.check(self.path, untrusted.listed(self.path))

    def check_and_remember(self) -> "Self":
        """Check the tree, and note on the disk which share holds it, for the next check; returns self."""
        self.check()
        try:
            share.note_share(self.path, self.memory(SHARES))
        except OSError:  # such a disk also refuses the next steps, and they report it
            return self
        return self

    def make(self, addresses: "list[str]") -> list[str]:
        """Create what is missing of the tree and of the agents' outboxes, durably; returns the agents that are new.

        Raises `BadAddress`, `ReservedAddress`, `NewerFormat`, `LinkInside` or OSError.
        """
        self.refuse_newer()
        for name in addresses:
            if address.checked(name) == address.POSTMASTER:
                raise ReservedAddress(address=name)
        self._refuse_links(*_OWN, *(name + SUFFIX for name in addresses))
        durable.make_directory(os.path.join(self.path, AGENTS))
        readme = os.path.join(self.path, README)
        if not os.path.lexists(readme):
            self._write_new(".gitignore", b"*\n")  # a project's mail stays out of its commits, and of clients' lists
            self._write_new(marker.NAME, b"")
            durable.write_new(readme, marker.readme())
            durable.flush_directory(self.path)
        return [name for name in addresses if self.outbox(name).make()]

    def _write_new(self, name: str, content: bytes) -> None:
        path = os.path.join(self.path, name)
        if not os.path.lexists(path):
            durable.write_new(path, content)

    def outbox(self, owner: str) -> Outbox:
        """Return the outbox of an agent, whether it exists or not."""
        return Outbox(os.path.join(self.path, owner + SUFFIX), owner)

    def outboxes(self) -> list[Outbox]:
        """Return every outbox, sorted by its owner's address.

        Raises `NotMailboxes` if the tree is gone, and `NewerFormat`.
        """
        entries = self.entries()
        marker.check(self.path, entries)
        names = [name for name, kind in entries.items() if kind == DIRECTORY and name.endswith(SUFFIX)]
        if not names:
            self.check()  # a share that was unmounted leaves an empty directory
        owners = [name.removesuffix(SUFFIX) for name in sorted(names)]
        return [self.outbox(owner) for owner in owners if address.is_address(owner)]

    def outboxes_of(self, directories: "frozenset[str] | None") -> "list[Outbox] | None":
        """Return the outboxes to which these directories belong; None, for all, if one belongs to none."""
        if directories is None:
            return None
        inside = os.path.join(self.path, "")
        names = {path.removeprefix(inside).partition(os.sep)[0] for path in directories}
        if not all(name.endswith(SUFFIX) for name in names):
            return None
        return [self.outbox(name.removesuffix(SUFFIX)) for name in sorted(names)]

    def agents(self) -> list[str]:
        """Return the addresses of all known agents: those that have an outbox."""
        return [outbox.owner for outbox in self.outboxes() if outbox.owner != address.POSTMASTER]

    def known_agent(self, name: str) -> str:
        """Return `name` if it is a known agent.

        Raises `BadAddress`, `ReservedAddress`, `NoAgents` or `UnknownAgent` (with the nearest known one).
        """
        if name == address.POSTMASTER:
            raise ReservedAddress(address=name)
        if not (address.is_address(name) and self.has_outbox(name)):
            self._refuse_unknown(name)
        return name

    def has_outbox(self, name: str) -> bool:
        """Tell whether an agent of that address has an outbox."""
        return self.outbox(name).is_there()

    def _refuse_unknown(self, name: str) -> None:
        self.check()
        agents = self.agents()
        if name in agents:  # the share was away for a moment
            return
        if not agents:
            raise NoAgents(path=self.path)
        if not (suggestion := hint(name, agents)):
            address.checked(name)
        refusal = UnknownAgent if address.is_address(name) else NoAddress
        raise refusal(address=name, hint=suggestion, known=", ".join(agents))

    def state_directory(self) -> str:
        """Return the directory for what must not leave this machine; each mailboxes tree has its own."""
        return os.path.join(state_base(), _unique_name(self.real()))

    def state_file(self, *parts: str) -> str:
        """Return a path in the state directory."""
        return os.path.join(self.state_directory(), *parts)

    def lock_file(self, role: str, agent: str) -> str:
        """Return the path of the lock that only one process per role (router, reader) and agent can hold."""
        return self.state_file("locks", f"{role}-{agent}.lock")


def _unique_name(path: str) -> str:
    """Return a name that people recognise and two trees never share: the parent folder, and a digest of the path."""
    digest = state_files.digest(os.fsencode(path))[:8]
    parent = address.name_from(os.path.basename(os.path.dirname(path))) or "root"
    return f"{parent}-{digest}"


def is_mailboxes(path: str) -> bool:
    """Tell whether there is a mailboxes tree at `path`: with our README, an outbox, or the mark of a newer format."""
    try:
        return _are_of_tree(path, os.listdir(path))
    except OSError:
        return False


def _are_of_tree(path: str, names: "Iterable[str]") -> bool:
    """Tell whether these are the names in a tree's directory: an outbox, a newer program's marker, or our README."""
    if any(name.endswith(SUFFIX) for name in names) or marker.number(names) > marker.FORMAT:
        return True
    try:
        start = untrusted.read_start(os.path.join(path, README), _TITLE_BYTES)
    except (OSError, Malformed):
        return False
    return start.split(b"\n")[0].strip() == _TITLE


def _kind(entry: "os.DirEntry[str]") -> str:
    if entry.is_symlink():
        return LINK
    return DIRECTORY if entry.is_dir(follow_symlinks=False) else OTHER
