"""Where a session's mail is, and the name that the session has there."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress

from ai_bridge import clients
from ai_bridge.agents import cards, identity, presence, projects, retirement, session_keys, session_names
from ai_bridge.agents.identity import NoIdentity
from ai_bridge.agents.session_names import Name
from ai_bridge.errors import BridgeError
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes import find, tree
from ai_bridge.mailboxes.find import NoMailboxes, find_mailboxes
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.address import project_of
from ai_bridge.reach import reconnect
from ai_bridge.sending import traffic
from ai_bridge.server.listed import choose
from ai_bridge.text import printable


class SessionEnded(BridgeError):
    sentence = "this session has ended: begin a new one"


class Caller:
    """The caller: the client's name for itself (`client`) and for this session (`key`), '' if it gives none."""

    __slots__ = ("client", "key")

    def __init__(self, client: str = "", key: str = "") -> None:
        self.client = client
        self.key = key


class Membership:
    """A session's place in the mailboxes; `where` and `agent` are the server's options, None if not given."""

    def __init__(self, where: str | None, agent: str | None) -> None:
        self._where = where
        self._agent = agent
        self._naming = threading.Lock()
        self._name: Name | None = None
        self._serves = ""
        self._named_in = ("", "")
        self._introduction = ""
        self._retirees = retirement.Retirees()
        self._has_left = False

    @property
    def name(self) -> Name | None:
        """The session's name; None before its first use, and after its end."""
        return self._name

    def look(self) -> Snapshot:
        """Return the mailboxes as they are now; raises `BridgeError` if they are gone or not adopted.

        Until the session has its name, each call searches for them again, because a share may be mounted later.
        From then on the session stays with them. If none are found, they are the user's own, which need not exist.
        """
        if self._name is not None:
            return Snapshot(*self._named_in).check()
        try:
            return find_mailboxes(self._where, by_client=True)
        except NoMailboxes:
            return Snapshot(find.user_wide())

    def begin(self, caller: Caller) -> tuple[Snapshot, Name]:
        """Begin an operation: return one look at the mailboxes, and the session's name, taken at its first use.

        The session holds the name's lock from then on. It also makes the outbox, and writes the agent's card and
        presence. Raises `BridgeError` (`SessionEnded` after `leave`).
        """
        where = self.look()
        with self._naming:
            if self._has_left:
                raise SessionEnded()
            if self._name is None or not self._name.is_held() or where.part(Homes).is_elsewhere(self._name.address):
                self._take_name(where, caller)
            assert self._name is not None
            if not where.has_outbox(self._name.address):
                where.renew()
                where.check().make([self._name.address])  # never a new tree in the place of one that just went away
            self._name.touch()
            return where, self._name

    def who(self, caller: Caller) -> Name:
        """Return the session's name, as `begin` does."""
        return self.begin(caller)[1]

    def _take_name(self, where: Snapshot, caller: Caller) -> None:
        self._give_name_back()
        projects.register()
        wanted = identity.who(where, self._agent, caller.client)
        where.make([wanted.address])
        self._named_in = (where.path, where.real())
        key = caller.key or session_keys.session_key(caller.client)
        self._name = session_names.take(where, wanted, caller.client, key)
        self._serves = key
        reconnect.begin(where, key)
        session_keys.note_client(where, caller.client)
        try:
            cards.introduce(where, self._name.address, caller.client, projects.folder_name())
            presence.announce(where)
            retirement.retire_unused(where.tree())
        except (BridgeError, OSError) as trouble:  # a card that cannot be written keeps nobody from reading
            print(f"no card was written: {trouble}", file=sys.stderr)
        self._introduction = f"You are {self._name.address} ({self._name.why}). Mailboxes: {self.place(where)}."
        where.renew()  # the card may say only now where the agent lives

    def _give_name_back(self) -> None:
        if self._name is not None:
            self._name.release()
            self._name = None
            with suppress(BridgeError, OSError):
                presence.announce(Tree(self._named_in[0]))

    def place(self, where: Tree) -> str:
        """Return the path of the mailboxes, and why the session uses these."""
        return f"{printable(where.path)} ({find.why(where)})"

    def introduction(self) -> str:
        """Return once for each name of the session: who it is and which mailboxes it uses, and why; else ''."""
        text, self._introduction = self._introduction, ""
        return text

    def leave(self) -> None:
        """Release the name for good, so that the next session can take it while calls are still at work here."""
        with self._naming:
            self._has_left = True
            if self._name is not None:
                reconnect.end(Tree(self._named_in[0]), self._serves)
            self._give_name_back()

    def announce(self) -> None:
        """Write for other machines that this session is alive; does nothing before the session has its name."""
        if self._name is not None and self._name.is_held():
            presence.announce(self.look())

    def peers(self, caller: Caller) -> list[str]:
        """Return the other agents with a tool here: of a session of a project, its own and those without a project.

        Agents that were removed are not among them. It is empty if there are no mailboxes.
        """
        where = self.look()
        if not tree.is_mailboxes(where.path):
            return []
        own = self._own_address(where, caller) or ""
        near, gone = {"", project_of(own)}, self._retirees.names(where)
        return [
            one
            for one in where.agents()
            if one not in (own, *gone) and (not project_of(own) or project_of(one) in near)
        ]

    def listing(self, caller: Caller, listed: list[str]) -> list[str]:
        """Return those of `peers` whose mail has a tool of its own in the client's list; `listed` have one now."""
        agents, where = self.peers(caller), self.look()
        own = self._own_address(where, caller) or ""
        client = clients.by_own_name(caller.client)
        return choose(agents, own, client, listed, lambda: traffic.exchanged(where, own))

    def own_address(self, caller: Caller) -> str | None:
        """Return the session's address, or before its first use the one it will ask for; None if none is known."""
        return self._name.address if self._name is not None else self._own_address(self.look(), caller)

    def _own_address(self, where: Tree, caller: Caller) -> str | None:
        if self._name is not None:
            return self._name.address
        try:
            return identity.who(where, self._agent, caller.client).address
        except NoIdentity:
            return None
