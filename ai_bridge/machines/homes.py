"""Decides which machine moves an agent's mail: its home, by its card or by the highest epoch this machine knows.

One file, one mover: only the router of an agent's home claims, delivers and rejects the agent's mail, and the mail is
read only there. No lock reaches another machine, so the machine that has a home gives it away. If that machine is
gone, a person takes the home with a command. Each time the epoch grows by one, and the higher epoch counts. A card of
a lower epoch is an old one that a sync tool brought back.
"""

from ai_bridge.errors import BridgeError, Malformed, disk_error
from ai_bridge.machines import this_machine
from ai_bridge.machines.home_lines import FIRST, Residence, number, parsed
from ai_bridge.mailboxes import card_files
from ai_bridge.mailboxes.card_files import CardFile, CardFiles
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import address
from ai_bridge.system import durable, filesystems, state_files, untrusted

FOLDER = "homes"
# The agents this machine asks for.
WANTED = "wanted"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class LivesElsewhere(BridgeError):
    sentence = (
        "{agent} lives on {home}, and its mail is read there only: be another agent here "
        "(`ai-bridge init NAME`), or move it (`ai-bridge card move-home {agent}`)"
    )
    for_model = (
        "{agent} lives on {home}, and its mail is read there only: tell your user to set AI_BRIDGE_AGENT to another "
        "address here, or to run `ai-bridge card move-home {agent}`"
    )


class LivedHere(LivesElsewhere):
    sentence = (
        "{agent} lives on {home}, and this machine is {here}: if that was this one, whose state directory was lost "
        "or changed, take {agent} back with `ai-bridge card move-home {agent} --force`; else be another agent here"
    )
    for_model = (
        "{agent} lives on {home}, and this machine is {here}: tell your user to run "
        "`ai-bridge card move-home {agent} --force`, if that was this machine before it lost its state directory"
    )


class LivesNowhere(BridgeError):
    sentence = (
        "{agent} lives on no machine yet, and these mailboxes are shared: run `ai-bridge init {agent}` "
        "on the machine where its mail is to be read"
    )
    for_model = (
        "{agent} lives on no machine yet, and these mailboxes are shared: tell your user to run "
        "`ai-bridge init {agent}` on the machine where its mail is to be read"
    )


class HomeLost(LivesNowhere):
    sentence = (
        "nobody can tell where {agent} lives, for its card is damaged ({damage}): repair it with "
        "`ai-bridge card edit {agent}`, then run `ai-bridge init {agent}` on the machine where its mail is to be read"
    )
    for_model = (
        "nobody can tell where {agent} lives, for its card is damaged ({damage}): tell your user to run "
        "`ai-bridge card edit {agent}`, then `ai-bridge init {agent}` on the machine where its mail is to be read"
    )


class NobodyHere(BridgeError):
    sentence = "no agent of {path} lives on this machine, {home}: add one with `ai-bridge init NAME`"
    for_model = "no agent of {path} lives on this machine, {home}: tell your user to run `ai-bridge init NAME`"


class Homes:
    """Knows where each agent lives, by its card; a card is read again if it has changed."""

    __slots__ = ("_cards", "_found", "_mailboxes", "_shared", "stale")

    def __init__(self, mailboxes: Tree, cards: CardFiles | None = None) -> None:
        self._mailboxes = mailboxes
        # The agents whose card has an older epoch than this machine knows, if this machine wrote it or must write it.
        self.stale: set[str] = set()
        self._cards = cards or mailboxes.part(CardFiles)
        self._found: dict[str, Residence] = {}
        self._shared: bool | None = None

    def refresh(self, agents: "Iterable[str]") -> list[str]:
        """Look again, and return those of the agents whose mail a router here moves."""
        self._shared = self._shared or None
        return [agent for agent in agents if self.is_routed_here(agent)]

    def home_of(self, agent: str) -> str:
        """Return the ID of the machine on which the agent lives, '' if nothing names one; raises `DiskError`."""
        return self.residence_of(agent).home

    def is_here(self, agent: str) -> bool:
        """Tell whether this machine moves the agent's mail; False if its card cannot be read just now.

        A damaged card counts by its lines: without a line `home` it names no home.

        If no other machine has the mailboxes, an agent without a home belongs to this machine, else to none.
        """
        try:
            found = self.residence_of(agent)
        except BridgeError:
            return False
        return self._is_mine(found)

    def _is_mine(self, found: "Residence") -> bool:
        return found.home == this_machine.here() if found.home else not self.are_shared()

    def is_routed_here(self, agent: str) -> bool:
        """Tell whether a router here moves the agent's mail; False if a link carries it."""
        try:
            found = self.residence_of(agent)
        except BridgeError:
            return False
        return self._is_mine(found) and not found.link

    def links(self, agents: "Iterable[str]") -> dict[str, str]:
        """Return, by agent, the link of each agent whose mail a link on this machine carries; raises `DiskError`."""
        return {agent: link for agent in agents if (link := self.residence_of(agent).link) and self.is_here(agent)}

    def is_of_another_team(self, agent: str) -> bool:
        """Tell whether a link carries the agent's mail; False if its card cannot be read just now."""
        try:
            return "@" in agent and bool(self.residence_of(agent).link)
        except BridgeError:
            return False

    def check(self, agent: str) -> str:
        """Return the agent if it lives here; raises `LivesElsewhere` or `LivesNowhere` (or a subclass of these)."""
        if self.is_here(agent):
            return agent
        if not (other := self.home_of(agent)):
            raise self._nowhere(agent)
        refusal = LivedHere if other.rpartition("-")[0] == this_machine.label() else LivesElsewhere
        raise refusal(agent=agent, home=other, here=this_machine.here())

    def _nowhere(self, agent: str) -> LivesNowhere:
        try:
            damage = self._cards.card_of(agent).meaning(CardFile.damage)
        except OSError:
            damage = ""
        return HomeLost(agent=agent, damage=damage) if damage else LivesNowhere(agent=agent)

    def is_elsewhere(self, agent: str) -> bool:
        """Tell whether the agent is known to live on another machine; raises `DiskError`."""
        there = self.home_of(agent)
        return there != "" and there != this_machine.here()

    def residence_of(self, agent: str) -> Residence:
        """Return the claim that counts: the card's, or the remembered one if its epoch is higher; raises `DiskError`.

        It remembers on the disk a higher epoch that the card has, and it changes `stale`.
        """
        if agent in self._found:
            return self._found[agent]
        found = self._read(agent)
        if self._mailboxes.is_snapshot:
            self._found[agent] = found
        return found

    def _read(self, agent: str) -> Residence:
        said, heard = self._card(agent), remembered(self._mailboxes, agent)
        if heard.epoch > said.epoch:
            if this_machine.here() in (said.home, heard.home):
                self.stale.add(agent)
            return heard
        self.stale.discard(agent)
        if said.epoch > max(heard.epoch, FIRST):
            remember(self._mailboxes, agent, said)
        return said

    def keep_notices(self) -> bool:
        """Tell whether this machine moves mail for nobody in the postmaster's outbox: exactly one machine does."""
        self.refresh([])
        if not self.are_shared():
            return True
        known = {self.home_of(agent) for agent in self._mailboxes.agents()} - {""}
        return this_machine.here() == min(known, default=this_machine.here())

    def are_shared(self) -> bool:
        """Tell whether another machine may have these mailboxes, too, as of the last `look`."""
        if self._shared is None:
            found = {self._may_be_elsewhere(agent) for agent in self._mailboxes.agents()}
            # If no card at all can be read, any may say so.
            self._shared = filesystems.is_shared(self._mailboxes.path) or True in found or found == {None}
        return self._shared

    def _may_be_elsewhere(self, agent: str) -> bool | None:
        """Tell whether the agent lives elsewhere; None if its card cannot be read now."""
        try:
            return self.is_elsewhere(agent)
        except BridgeError:
            return None

    def _card(self, agent: str) -> Residence:
        try:
            return self._cards.card_of(agent).meaning(_claim)
        except FileNotFoundError:
            return Residence()
        except OSError as error:
            raise disk_error(card_files.path_of(self._mailboxes, agent), error) from None


def _claim(card: CardFile) -> Residence:
    return parsed(card.raw)


# --- what this machine has heard of ---------------------------------------------------------------------


def remembered(mailboxes: Tree, agent: str) -> Residence:
    """Return the claim with the highest epoch that this machine knows; an empty one for an agent that never moved.

    Raises `DiskError` if it cannot be read: otherwise an old card would be believed.
    """
    if not address.is_address(agent):
        return Residence()
    path = mailboxes.state_file(FOLDER, agent)
    try:
        words = untrusted.read_file(path, 256).decode("ascii", "replace").split()
    except (FileNotFoundError, NotADirectoryError, Malformed):
        return Residence()
    except OSError as error:
        raise disk_error(path, error) from None
    known = len(words) == 2 and this_machine.is_home(words[1])
    return Residence(words[1], number(words[0])) if known else Residence()


def remember(mailboxes: Tree, agent: str, said: Residence) -> None:
    """Write the epoch and the home of a claim to the state directory, durably; raises `DiskError`."""
    path = mailboxes.state_file(FOLDER, agent)
    try:
        state_files.remember(path, f"{said.epoch} {said.home}\n".encode())
    except OSError as error:
        raise disk_error(path, error) from None


def wanted(mailboxes: Tree) -> list[str]:
    """Return the agents this machine asks for, and forget (on the disk) those that it has got; raises `DiskError`."""
    known, found = Homes(mailboxes), []
    for agent in sorted(filter(address.is_address, untrusted.listed(mailboxes.state_file(WANTED)))):
        if known.home_of(agent) == this_machine.here():
            durable.remove(mailboxes.state_file(WANTED, agent))
        else:
            found.append(agent)
    return found
