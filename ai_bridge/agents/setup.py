"""Makes mailboxes with their agents, or adds what is missing, and adopts them for the person who asks for it."""

import os
from collections.abc import Callable

from ai_bridge import clients
from ai_bridge.agents import cards, person, projects, retirement
from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes import adoption, find, tree
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import filesystems, git

# Takes one sentence for the person.
Tell = Callable[[str], None]


def make(named: str | None, asked: list[str], usual: list[str], tell: Tell) -> tuple[Tree, list[str]]:
    """Make mailboxes with the agents `asked` for and their cards, or add what is missing, and adopt them.

    `named` is the path of the mailboxes. If it is None, they are the nearest from the working directory upwards, else
    `mailboxes` in it. If `asked` is empty, new mailboxes get the agents `usual`. An agent that is asked for and was
    removed comes back. The card of `me` says that it is a person's address. Returns the mailboxes, and the new
    agents. `tell` gets a sentence about an adoption, or about one that is not possible, at once.

    Writes durably, and takes the locks of cards. In a client's shell it adopts only mailboxes that it makes. Raises
    `ForPersons` there for others that were found or are in the project. Raises `BridgeError` if the directory holds
    other things, or if mailboxes that are not named cannot be adopted. Raises what `Tree.make` and `cards.introduce`
    do.
    """
    chosen = _chosen(named)
    is_named, is_new = named is not None, _is_new(chosen.path)
    may_adopt = _may_adopt(chosen, is_named, is_new, tell)
    agents = asked or _usual_agents(chosen, usual)
    persons = [name for name in agents if name.partition("@")[0] == person.OWN_NAME]
    if persons:
        person.refuse_clients(f"to make {persons[0]}, a person's address,")
    new = chosen.make(agents)
    if may_adopt:
        _adopt(chosen, is_named, is_new, tell)
    projects.register()
    for name in asked:
        if retirement.bring_back(chosen, name):
            tell(f"{name} is back; its earlier mail stays in the archive (`ai-bridge restore ID` has one back)")
    for name in agents:
        cards.introduce(chosen, name, project="" if name in persons else projects.folder_name())
    for name in persons:
        if not chosen.part(Homes).is_elsewhere(name):
            cards.put(chosen, name, {person.FIELD: person.YES})
    return chosen, new


def adopt_existing(path: str, dry_run: bool = False) -> None:
    """Adopt the mailboxes at `path`, durably, unless there are none or they are adopted; not in a `dry_run`.

    Raises `NewerFormat`, `ForPersons` if a client started this shell, `LinkInside` or OSError.
    """
    if not tree.is_mailboxes(path):
        return
    Tree(path).refuse_newer()
    if not (dry_run or find.is_adopted(Tree(path))):
        person.refuse_clients(f"adopting {path}")
        adoption.adopt(path)


def _chosen(named: str | None) -> Tree:
    """Return the mailboxes to make or complete; raises `BridgeError` if the directory holds other things."""
    if not named:
        named = find.of_project() or os.path.join(_place(), "mailboxes")
    if os.path.isdir(named) and not _is_empty(named) and not tree.is_mailboxes(named):
        raise BridgeError(
            what=f"{named} holds other things: name a directory that is new, empty or already mailboxes"
        )
    return Tree(named)


def _place() -> str:
    """Return the folder for new mailboxes: the working directory; in a linked worktree, the main worktree's root."""
    here = os.getcwd()
    return git.main_of_linked(here) or here


def _usual_agents(chosen: Tree, usual: list[str]) -> list[str]:
    """Return the agents to make if none is named; mailboxes that already have agents get no new ones."""
    there = chosen.agents() if tree.is_mailboxes(chosen.path) else []
    return [name for name in usual if name in there] if there else usual


def _may_adopt(chosen: Tree, is_named: bool, is_new: bool, tell: Tell) -> bool:
    """Tell whether this process may adopt the mailboxes: a client's shell adopts only mailboxes that it makes.

    In a client's shell it raises `ForPersons` if they exist, and were found or are in the project.
    """
    if not clients.variable_set() or is_new or find.is_adopted(chosen):
        return True
    if not is_named or adoption.is_in_project(chosen.path):
        person.refuse_clients(f"adopting {chosen.path}")
    tell(f"{chosen.path} is not adopted: that is for a person, in a terminal of their own")
    return False


def _adopt(chosen: Tree, is_named: bool, is_new: bool, tell: Tell) -> None:
    """Adopt the mailboxes. If the user's list cannot be written, warn, because mailboxes that are named need no list.

    Raises `BridgeError` instead of the warning if they were not named.
    """
    try:
        if adoption.adopt(chosen.path) and not is_new:
            tell(f"adopted {chosen.path}: its mail is moved and read from now on")
    except OSError as error:
        trouble = disk_error(adoption.notes_file(), error)
        said = f"{chosen.path} is made but not adopted ({trouble}): name it each time with --mailboxes"
        if not is_named:
            raise BridgeError(what=said) from None
        tell(f"warning: {said}")


def _is_new(path: str) -> bool:
    """Tell whether the directory holds nothing that ai-bridge would obey: no outbox, no card, no settings."""
    names = os.listdir(path) if os.path.isdir(path) else []
    return all(name in tree.HARMLESS or filesystems.is_mark(name) for name in names)


def _is_empty(path: str) -> bool:
    """Tell whether a directory holds nothing but the marks of sync tools."""
    return all(filesystems.is_mark(name) for name in os.listdir(path))
