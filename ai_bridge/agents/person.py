"""Persons: which addresses are a person's own, and whether an agent's client runs this command.

A card says `person: yes` if its address belongs to a person. This guards against loops and mistakes, not against a
forger.
"""

from ai_bridge import clients
from ai_bridge.errors import BridgeError
from ai_bridge.machines.home_lines import said_by
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes.card_files import CardFile, CardFiles
from ai_bridge.mailboxes.tree import Tree

# The field of a card, its value, and the name that `init` understands as its user's own.
FIELD, YES, OWN_NAME = "person", "yes", "me"


class ForPersons(BridgeError):
    sentence = (
        "{what} is for a person, in a terminal of their own: "
        "{variable} says that an agent's client started this shell"
    )


class PersonsAddress(BridgeError):
    sentence = (
        "{address} is a person's address, and no session may have it: "
        "name another in AI_BRIDGE_AGENT, in the environment of the client's MCP entry"
    )
    for_model = (
        "{address} is a person's address, and no session may have it: "
        "tell your user to name another in AI_BRIDGE_AGENT, in the environment of the client's MCP entry"
    )


def refuse_clients(what: str) -> None:
    """Raise `ForPersons` if a client started this shell."""
    if variable := clients.variable_set():
        raise ForPersons(what=what, variable=variable)


def refuse_clients_as(mailboxes: Tree, address: str) -> str:
    """Return the address; raises `ForPersons` if it is a person's and a client started this shell.

    Reads the card in a client's shell only.
    """
    if clients.variable_set() and is_persons(mailboxes, address):
        refuse_clients(f"{address} is a person's address, and to use it")
    return address


def is_persons(mailboxes: Tree, address: str) -> bool:
    """Tell whether the address is a person's, by its card; False if there is no card, or it cannot be read now."""
    try:
        return mailboxes.part(CardFiles).card_of(address).meaning(says_person)
    except OSError:
        return False


def here(mailboxes: Tree) -> list[str]:
    """Return the persons' addresses that live on this machine."""
    homes = mailboxes.part(Homes)
    return [one for one in mailboxes.agents() if is_persons(mailboxes, one) and homes.is_here(one)]


def says_person(card: CardFile) -> bool:
    """Tell whether a card says that its address is a person's; one of another team never does."""
    said = said_by(card.raw)
    return said.get(FIELD) == YES and not said.get("link")
