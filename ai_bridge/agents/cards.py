"""The cards: one file per agent, `agents/<address>.md`, which everyone who shares the mailboxes can read."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import Any

from ai_bridge.agents import person, policy, retired
from ai_bridge.agents.several import groups
from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.machines import home_lines, homes, this_machine
from ai_bridge.mailboxes import card_files, changes
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import headers
from ai_bridge.message.address import checked, name_from
from ai_bridge.system import durable, front_matter, state_files, times
from ai_bridge.system.locks import Lock

# The machine that the agent lives on, and how it is reached. Only the program writes these fields.
WRITTEN = ("home", "epoch", "next", "link", "remote", "gone", retired.RETIRED)
_SAID = ("client", "project", "description", "working_on", groups.FIELD, "since")
FIELDS = ("name", "display", *WRITTEN, *_SAID, person.FIELD, *policy.FIELDS)
TEXT = "text"
_FIELD_LENGTH = 400
_PATIENCE_S = 2.0
_PERSONS = "to say which addresses are a person's"


class BadCard(BridgeError):
    sentence = (
        "the card {path} is damaged: {why}; repair it with `ai-bridge card edit {agent}`, "
        "or remove it, and `ai-bridge init {agent}` writes a new one"
    )
    for_model = "the card {path} is damaged: {why}; tell your user to run `ai-bridge card edit {agent}`"


class BadField(BridgeError):
    sentence = "a card cannot hold that: {why}"


class CardBusy(BadField):
    sentence = "another process is changing the card of {agent} just now; try again in a moment"


class Card:
    """The card of one agent: its `fields`, each a text (those of `FIELDS`, and any others), and its `text`.

    `rest` holds the other values of its front matter, such as lists. They mean nothing here, and are kept.
    """

    __slots__ = ("address", "fields", "rest", "text")

    def __init__(
        self, address: str, fields: dict[str, str], text: str = "", rest: dict[str, Any] | None = None
    ) -> None:
        self.address = address
        self.fields = fields
        self.text = text
        self.rest = rest or {}

    def get(self, field: str) -> str:
        """Return a field, '' if the card does not have it."""
        return self.fields.get(field, "")

    @property
    def display(self) -> str:
        """The agent's name for people: the field `display`, else `name (project)`."""
        return self.get("display") or display(self.address, self.get("project"))


def display(address: str, project: str) -> str:
    """Return the name for people: `Aragon (myproject)`, or only the name if `project` is ''."""
    name = address.partition("@")[0]
    return f"{name} ({project})" if project else name


# --- one card -------------------------------------------------------------------------------------------


def card_path(mailboxes: Tree, address: str) -> str:
    """Return the path of an agent's card; raises `BadAddress`."""
    return card_files.path_of(mailboxes, checked(address))


def load(mailboxes: Tree, address: str) -> Card:
    """Return the card of an agent, an empty card if there is none; raises `BadCard` or `DiskError`."""
    path = card_path(mailboxes, address)
    try:
        file = card_files.read(path)
        if file.wrong:
            raise BadCard(path=path, why=file.wrong, agent=address)
        metadata, text = front_matter.parse(file.raw)
    except FileNotFoundError:
        return Card(address, {})
    except OSError as error:
        raise disk_error(path, error) from None
    except ValueError as trouble:
        raise BadCard(path=path, why=str(trouble), agent=address) from None
    return _card(address, metadata, text)


def as_text(mailboxes: Tree, address: str) -> str:
    """Return the text of an agent's card for an editor, even if the card is damaged; a new card if there is none.

    A card that is too long is cut. Raises OSError.
    """
    with suppress(FileNotFoundError):
        if raw := card_files.read(card_path(mailboxes, address)).raw.strip(b"\0"):
            return raw.decode("utf-8", "replace")
    return front_matter.format_page({"name": address, "description": "..."}, "What this agent works on.").decode()


def is_damaged(mailboxes: Tree, address: str) -> bool:
    """Tell whether an agent's card is damaged; raises `DiskError`."""
    try:
        load(mailboxes, address)
    except BadCard:
        return True
    return False


def replace(mailboxes: Tree, address: str, text: str) -> None:
    """Replace an agent's card by `text`, which a person edited; takes the card's lock.

    Raises `BadField` if the text is no valid card, or if another process changes the card just now. It then keeps the
    text in the state directory, so that its writer can fix it. Raises `LivesElsewhere` if another machine writes
    this card.
    """
    _check_home(mailboxes, address)
    try:
        metadata, said = front_matter.parse(text.encode("utf-8", "surrogateescape"))
        _check_rules(metadata)
        with _held(mailboxes, address):
            card = _card(address, metadata, said)
            if card.get(person.FIELD) != _fields_now(mailboxes, address).get(person.FIELD, ""):
                person.refuse_clients(_PERSONS)
            card.fields = (
                {"name": address} | card.fields | home_lines.fields(mailboxes.part(homes.Homes).residence_of(address))
            )
            _save(mailboxes, card)
    except (ValueError, BadField) as trouble:
        kept = mailboxes.state_file("rejected", address + card_files.ENDING)
        state_files.remember(kept, text.encode("utf-8", "surrogateescape"))
        raise BadField(why=f"{trouble}; nothing was changed, what you wrote is in {kept}") from None


def _check_rules(fields: dict[str, Any]) -> None:
    """Raise `BadField` if a rule of a card names what can be nobody, or its groups what can be no group."""
    if wrong := policy.wrong_entries(fields) + groups.wrong_entries(fields):
        raise BadField(why=wrong[0])


def _fields_now(mailboxes: Tree, address: str) -> dict[str, str]:
    """Return the fields of an agent's card, {} if it is damaged; raises `DiskError`."""
    try:
        return load(mailboxes, address).fields
    except BadCard:
        return {}


def _card(address: str, metadata: dict[str, Any], text: str) -> Card:
    fields = {str(key): value for key, value in metadata.items() if isinstance(value, str)}
    return Card(address, fields, text, {str(key): value for key, value in metadata.items() if key not in fields})


def change(mailboxes: Tree, address: str, changes: dict[str, str]) -> Card:
    """Set fields, and `text`, of an agent's card, and keep the rest; an empty value removes a field.

    Takes the card's lock, writes the card and returns it. Raises `BadField` for an unknown field or a bad value, and
    `BadCard` if the present card is damaged. Raises `CardBusy`, or `LivesElsewhere` if another machine writes it.
    """
    settable = (*(name for name in FIELDS[1:] if name not in WRITTEN), TEXT)
    for name in changes:
        if name == retired.RETIRED:
            raise BadField(why=f"{name} is not set by hand: `ai-bridge remove {address}` retires an agent")
        if name in WRITTEN:
            raise BadField(why=f"{name} is not set by hand: `ai-bridge card move-home {address}` moves an agent")
        if name not in settable:
            raise BadField(why=f"there is no field {name}; there are {', '.join(settable)}")
    if person.FIELD in changes:
        person.refuse_clients(_PERSONS)
    fields = {name: value for name, value in changes.items() if name != TEXT}
    for name, value in fields.items():
        _check_field(name, value)
    _check_home(mailboxes, address)
    with _held(mailboxes, address):
        card = load(mailboxes, address)
        card.text = changes.get(TEXT, card.text)
        if card.get("display") == display(address, card.get("project")):
            fields = {"display": display(address, fields.get("project", card.get("project")))} | fields
        card.fields = {"name": address} | card.fields | fields
        card.rest = {name: value for name, value in card.rest.items() if name not in fields}
        _save(mailboxes, card)
    return card


def put(mailboxes: Tree, address: str, fields: dict[str, str]) -> None:
    """Set fields of an agent's card without a check, also those that only the program writes; '' removes one.

    Takes the card's lock. Raises `BadCard`, `BadField` or OSError.
    """
    with _held(mailboxes, address):
        card = load(mailboxes, address)
        card.fields = {"name": address} | card.fields | fields
        _save(mailboxes, card)


def _check_home(mailboxes: Tree, address: str) -> None:
    """Raise `LivesElsewhere` if another machine writes this card: two writers would make two cards."""
    known = mailboxes.part(homes.Homes)
    if known.is_elsewhere(address):
        known.check(address)


def introduce(mailboxes: Tree, address: str, client: str = "", project: str = "") -> None:
    """Write an agent's card at first contact, or fill in its missing fields; never changes a field that is there.

    Takes the card's lock if there is something to write. Leaves a damaged card, and the card of an agent that lives
    on another machine, as they are. Raises `CardBusy` or OSError.
    """
    known = {"home": this_machine.here(), "client": client, "project": _project(address, project)}
    with suppress(BadCard):
        present = load(mailboxes, address)
        if present.get("home") not in ("", known["home"]):
            return
        if present.get("since") and all(present.get(name) for name, value in known.items() if value):
            return
        with _held(mailboxes, address):
            card = load(mailboxes, address)
            card.fields = _filled(card, known)
            _save(mailboxes, card)


def _project(address: str, folder: str) -> str:
    """Return an agent's project: that of its address, else `folder`; if both are the same, as `folder` spells it."""
    own = address.partition("@")[2]
    return folder if own in ("", name_from(folder)) else own


def _filled(card: Card, known: dict[str, str]) -> dict[str, str]:
    said = {name: value for name, value in card.fields.items() if value}
    since = times.format_utc(time.time())
    first = {"display": display(card.address, said.get("project") or known["project"]), "since": since}
    return dict.fromkeys(FIELDS, "") | {"name": card.address} | known | first | said


def _save(mailboxes: Tree, card: Card) -> None:
    """Write a card in place of the present one; raises `BadField` if it is too large."""
    raw = front_matter.format_page(
        {name: value for name, value in card.fields.items() if value} | card.rest, card.text
    )
    if len(raw) > card_files.CARD_BYTES:
        limit = card_files.CARD_BYTES
        raise BadField(why=f"the card would be {len(raw)} bytes, over the limit of {limit}: say it shorter")
    path = card_path(mailboxes, card.address)
    durable.make_directory(os.path.dirname(path))
    durable.replace_own(path, raw)
    changes.report(mailboxes.path, path)


def _check_field(name: str, value: str) -> None:
    if code := headers.control_character(value):
        raise BadField(why=f"{name} is one line of text, and was given the control character {code}")
    if name == person.FIELD and value not in ("", person.YES):
        raise BadField(why=f"{name} is {person.YES}, or empty for an agent that is no person")
    _check_rules({name: value})
    if len(value) > _FIELD_LENGTH:
        raise BadField(
            why=f"{name} has {len(value)} characters, over the limit of {_FIELD_LENGTH}: use {TEXT} for more"
        )


def _held(mailboxes: Tree, address: str) -> Lock:
    """Take and return the lock with which one process at a time changes a card; raises `CardBusy`."""
    lock = Lock(mailboxes.lock_file("card", address))
    if not lock.acquire("card", address, _PATIENCE_S):
        raise CardBusy(agent=address)
    return lock
