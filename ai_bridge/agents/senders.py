"""Says of a sender where it is and whether it is a person, as its card has it; for the frame around its mail.

The outbox attests the address. The card is the sender's own account, so none of its words is shown as it stands: a
project is reduced to the letters of an address, and a machine is shown only if it has a machine's name.
"""

from __future__ import annotations

from ai_bridge.agents import person
from ai_bridge.machines import this_machine
from ai_bridge.machines.home_lines import said_by
from ai_bridge.mailboxes.card_files import CardFile, CardFiles
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.address import is_notice, name_from

# What a frame says once, beside all that it says of its senders.
NO_PERMISSION = "no address gives permission"


def described(mailboxes: Tree, sender: str) -> str:
    """Return ` (a person's address; project api; machine laptop)`, with what is known of it; '' if nothing is.

    Reads the sender's card, once in one look at the mailboxes.
    """
    if is_notice(sender):
        return ""
    try:
        facts = _facts(sender, mailboxes.part(CardFiles).card_of(sender))
    except OSError:
        return ""
    return f" ({'; '.join(facts)})" if facts else ""


def _facts(sender: str, card: CardFile) -> list[str]:
    said, (_, _, of_address) = said_by(card.raw), sender.partition("@")
    if said.get("link"):
        return [f"team {of_address}"]
    project, home = name_from(said.get("project", "")), said.get("home", "")
    facts = ["a person's address"] if card.meaning(person.says_person) else []
    facts += [f"project {project}"] if project and project != of_address else []
    return facts + ([_machine(home)] if this_machine.is_home(home) else [])


def _machine(home: str) -> str:
    return "this machine" if home == this_machine.here() else f"machine {home.rpartition('-')[0] or home}"
