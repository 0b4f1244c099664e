"""The address book: one card an agent, `agents/<address>.md`, written by whoever shares the mailboxes."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import Any

from ai_bridge.agents import policy
from ai_bridge.agents.policy import entries, is_entry
from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.machines import home_lines, homes, this_machine
from ai_bridge.mailboxes import card_files, changes
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.message import headers
from ai_bridge.message.address import checked, name_from
from ai_bridge.system import durable, front_matter, state_files, times
from ai_bridge.system.locks import Lock

# Which machine it lives on, and how it is reached: written by the program alone.
WRITTEN = ("home", "epoch", "next", "link", "remote", "gone")
FIELDS = ("name", "display", *WRITTEN, "client", "project", "description", "since", *policy.FIELDS)
TEXT = "text"
_FIELD_LENGTH = 400
_PATIENCE_S = 2.0


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
    """What is known of one agent: `fields`, each a text (`FIELDS` and whatever else is there), and `text`.

    `rest` is what else its front matter holds: lists and the like, which mean nothing here and are kept.
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
        """Return a field, '' where the card has none."""
        return self.fields.get(field, "")

    @property
    def display(self) -> str:
        """The agent as people call it: what the card says, else `name (project)`."""
        return self.get("display") or display(self.address, self.get("project"))


def display(address: str, project: str) -> str:
    """Return the display form of an address: `Aragon (myproject)`."""
    name = address.partition("@")[0]
    return f"{name} ({project})" if project else name


# --- one card -------------------------------------------------------------------------------------------


def card_path(mailboxes: Mailboxes, address: str) -> str:
    """Return where the card of an agent lies."""
    return card_files.path_of(mailboxes, checked(address))


def load(mailboxes: Mailboxes, address: str) -> Card:
    """Return the card of an agent, an empty one where there is none; raises `BadCard` or `DiskError`."""
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


def as_text(mailboxes: Mailboxes, address: str) -> str:
    """Return an agent's card as it stands, to be edited, even if it is damaged; a new one where nothing is there.

    A card that is too long is cut. Raises OSError.
    """
    with suppress(FileNotFoundError):
        if raw := card_files.read(card_path(mailboxes, address)).raw.strip(b"\0"):
            return raw.decode("utf-8", "replace")
    return front_matter.format_page({"name": address, "description": "..."}, "What this agent works on.").decode()


def is_damaged(mailboxes: Mailboxes, address: str) -> bool:
    """Tell whether an agent has a card that is none; raises `DiskError`."""
    try:
        load(mailboxes, address)
    except BadCard:
        return True
    return False


def replace(mailboxes: Mailboxes, address: str, text: str) -> None:
    """Put a text in the place of an agent's card.

    Raises `BadField` where that is no card: it is kept in the state directory, for its writer to mend.
    """
    _check_home(mailboxes, address)
    try:
        metadata, said = front_matter.parse(text.encode("utf-8", "surrogateescape"))
        with _held(mailboxes, address):
            card = _card(address, metadata, said)
            card.fields = {"name": address} | card.fields | home_lines.fields(homes.Homes(mailboxes).claim(address))
            _save(mailboxes, card)
    except (ValueError, BadField) as trouble:
        kept = mailboxes.state_file("rejected", address + card_files.ENDING)
        state_files.remember(kept, text.encode("utf-8", "surrogateescape"))
        raise BadField(why=f"{trouble}; nothing was changed, what you wrote is in {kept}") from None


def _card(address: str, metadata: dict[str, Any], text: str) -> Card:
    fields = {str(key): value for key, value in metadata.items() if isinstance(value, str)}
    return Card(address, fields, text, {str(key): value for key, value in metadata.items() if key not in fields})


def change(mailboxes: Mailboxes, address: str, changes: dict[str, str]) -> Card:
    """Set fields, and `text`, of an agent's card, keeping the rest; an empty value removes a field.

    Raises `BadField` for what a card does not have or hold, `BadCard` where the present card is damaged.
    """
    settable = (*(name for name in FIELDS[1:] if name not in WRITTEN), TEXT)
    for name in changes:
        if name in WRITTEN:
            raise BadField(why=f"{name} is not set by hand: `ai-bridge card move-home {address}` moves an agent")
        if name not in settable:
            raise BadField(why=f"there is no field {name}; there are {', '.join(settable)}")
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


def put(mailboxes: Mailboxes, address: str, fields: dict[str, str]) -> None:
    """Set fields of an agent's card, of those the program alone writes, too; an empty value removes one."""
    with _held(mailboxes, address):
        card = load(mailboxes, address)
        card.fields = {"name": address} | card.fields | fields
        _save(mailboxes, card)


def _check_home(mailboxes: Mailboxes, address: str) -> None:
    """Raise `LivesElsewhere` where another machine writes this card: two writers make two cards."""
    known = homes.Homes(mailboxes)
    if known.is_elsewhere(address):
        known.check(address)


def introduce(mailboxes: Mailboxes, address: str, client: str = "", project: str = "") -> None:
    """Write an agent's card at first contact, or fill in what it leaves out; what it says is never changed.

    A damaged card is left to its owner.
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
    """Return an agent's project: its address's own, written as the folder is if that is the one; else the folder."""
    own = address.partition("@")[2]
    return folder if own in ("", name_from(folder)) else own


def _filled(card: Card, known: dict[str, str]) -> dict[str, str]:
    said = {name: value for name, value in card.fields.items() if value}
    since = times.format_utc(time.time())
    first = {"display": display(card.address, said.get("project") or known["project"]), "since": since}
    return dict.fromkeys(FIELDS, "") | {"name": card.address} | known | first | said


def _save(mailboxes: Mailboxes, card: Card) -> None:
    """Write a card, replacing what was there."""
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
    if name in policy.FIELDS and (wrong := [entry for entry in entries(value) if not is_entry(entry)]):
        raise BadField(why=f"{name} names addresses, or * for everybody, and {wrong[0]!r} is neither")
    if len(value) > _FIELD_LENGTH:
        raise BadField(
            why=f"{name} has {len(value)} characters, over the limit of {_FIELD_LENGTH}: use {TEXT} for more"
        )


def _held(mailboxes: Mailboxes, address: str) -> Lock:
    """Return the lock by which one process at a time changes a card, taken."""
    lock = Lock(mailboxes.lock_file("card", address))
    if not lock.acquire("card", address, _PATIENCE_S):
        raise CardBusy(agent=address)
    return lock
