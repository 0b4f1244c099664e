"""What goes over the wire: subjects, headers, and the small texts of receipts and cards; docs/format.md says each.

A subject names the receiving and the sending team, so that the server's own permissions can hold a team to its name,
and then the agent, whose `name@project` is the two tokens `name.project`: no part of an address holds a dot. Mail and
receipts end with a key of their own, so that the stream itself tells whether it still holds a message.
"""

import hashlib
import json
from typing import Any

from ai_bridge.errors import Malformed
from ai_bridge.message import address, message
from ai_bridge.message.message import Message

MAIL, RECEIPTS, CARDS = STREAMS = ("AIBRIDGE_MAIL", "AIBRIDGE_RECEIPTS", "AIBRIDGE_CARDS")
SUBJECTS = {
    MAIL: ["aibridge.mail.>"],
    RECEIPTS: ["aibridge.receipt.>"],
    CARDS: ["aibridge.card.>", "aibridge.team.*"],
}
# The sender's address where it lives, how often this message came back and was sent again, and its file's name there.
SENDER, ATTEMPT, NAME = "Ai-Bridge-Sender", "Ai-Bridge-Attempt", "Ai-Bridge-Name"
ARRIVED, READ, MALFORMED = "arrived", "read", "malformed"
_REASON_LENGTH = 2000
# Messages that one receipt may say to have arrived.
ARRIVED_AT_ONCE = 500
_KEY_LENGTH = 24


class BadWire(Malformed):
    sentence = "what came over the link is not as it should be: {why}"


# --- names and subjects ---------------------------------------------------------------------------------


def foreign(agent: str, team: str) -> str:
    """Return what other teams call an agent of `team`: `name@team`, or `name-project@team`; '' where that is none."""
    name = agent.replace("@", "-")
    called = f"{name}@{team}"
    return called if address.is_address(called) and name != address.POSTMASTER else ""


def team_of(called: str) -> str:
    """Return the team of an agent as others call it."""
    return called.partition("@")[2]


def mail_to(agent: str, team: str, ours: str, name: str, attempt: int) -> str:
    """Return the subject of the message `name`, sent for the `attempt`-th time again, to an agent of `team`."""
    return f"aibridge.mail.{team}.{ours}.{agent.replace('@', '.')}.{_key(name, attempt)}"


def receipt_to(agent: str, team: str, ours: str, raw: bytes, attempt: int = 0) -> str:
    """Return the subject of the receipt `raw` to an agent, by its address there, of `team`."""
    return f"aibridge.receipt.{team}.{ours}.{agent.replace('@', '.')}.{_key(raw.decode(), attempt)}"


def _key(text: str, attempt: int) -> str:
    return hashlib.sha256(f"{text}~{attempt}".encode()).hexdigest()[:_KEY_LENGTH]


def card_of(agent: str, team: str) -> str:
    """Return the subject of the card of an agent of `team`."""
    return f"aibridge.card.{team}.{agent.replace('@', '.')}"


def claim_of(team: str) -> str:
    """Return the subject under which a team's name is taken."""
    return f"aibridge.team.{team}"


def filter_of(stream: str, team: str) -> str:
    """Return the subjects of what is for a team in a stream."""
    return f"aibridge.{'mail' if stream == MAIL else 'receipt'}.{team}.>"


def parse_subject(subject: str) -> tuple[str, str, str]:
    """Return the receiving and the sending team that a subject with a key names, and the agent; raises `BadWire`."""
    ours, team, agent = _parsed(subject, subject.split(".")[2:-1], 2)
    return ours, team, agent


def parse_card_subject(subject: str) -> tuple[str, str]:
    """Return the team and the agent that the subject of a card names; raises `BadWire`."""
    team, agent = _parsed(subject, subject.split(".")[2:], 1)
    return team, agent


def writer_of(subject: str) -> str:
    """Return the team that wrote what has this subject, for the server lets no other; '' where it names none."""
    tokens = subject.split(".")
    team = tokens[3] if len(tokens) > 3 else ""
    return team if address.is_address(team) else ""


def _parsed(subject: str, tokens: list[str], teams: int) -> list[str]:
    agent = "@".join(tokens[teams:])
    if not (all(map(address.is_address, tokens[:teams])) and address.is_address(agent)):
        raise BadWire(why=f"the subject {subject!r} names no agent")
    return [*tokens[:teams], agent]


# --- mail -----------------------------------------------------------------------------------------------


def as_sent(parsed: Message, names: dict[str, str]) -> bytes:
    """Return a message's file with the addresses in its headers as the other side knows them, and the same body."""
    headers = {
        name: ", ".join(names.get(one, one) for one in address.split_list(value))
        if name.lower() in ("from", "to", "voters")
        else value
        for name, value in parsed.headers.items()
    }
    return message.format_message(Message(headers, parsed.body))


# --- receipts -------------------------------------------------------------------------------------------


class Receipt:
    """What became of a message: its `id`, the `recipient` as its sender calls it, `state` and the `reason`."""

    __slots__ = ("id", "reason", "recipient", "state")

    def __init__(self, id_: str, recipient: str, state: str, reason: str = "") -> None:
        self.id = id_
        self.recipient = recipient
        self.state = state
        self.reason = _line(reason, _REASON_LENGTH)

    def as_bytes(self) -> bytes:
        said = {"id": self.id, "recipient": self.recipient, "state": self.state, "reason": self.reason}
        return json.dumps(said).encode()


def arrived_bytes(arrived: list[tuple[str, str]]) -> bytes:
    """Return the receipt that says of messages, each (ID, recipient as its sender calls it), that they arrived."""
    return json.dumps({"state": ARRIVED, "messages": arrived}).encode()


def parse_receipts(raw: bytes) -> list[Receipt]:
    """Return the receipts that one message holds; raises `BadWire`."""
    said = _object(raw)
    if said.get("state") != ARRIVED:
        return [_receipt(said)]
    listed = said.get("messages")
    pairs = listed[:ARRIVED_AT_ONCE] if isinstance(listed, list) else []
    return [_receipt({"id": one[0], "recipient": one[1], "state": ARRIVED}) for one in pairs if _is_pair(one)]


def _is_pair(one: object) -> bool:
    return isinstance(one, list) and len(one) == 2


def _receipt(said: dict[str, Any]) -> Receipt:
    values = [said.get(name) for name in ("id", "recipient", "state", "reason")]
    id_, recipient, state, reason = (value if isinstance(value, str) else "" for value in values)
    if not (message.is_id(id_) and address.is_address(recipient) and state in (ARRIVED, READ, MALFORMED)):
        raise BadWire(why="a receipt without ID, recipient or state")
    return Receipt(id_, recipient, state, reason)


# --- cards ----------------------------------------------------------------------------------------------

_CARD_FIELDS = ("display", "client", "project", "description", "since")
_FIELD_LENGTH = 400
CARD_BYTES = 16_384


def card_bytes(called: str, fields: dict[str, str]) -> bytes:
    """Return what other teams are told of an agent that they call so."""
    said = {name: value for name in _CARD_FIELDS if (value := fields.get(name))}
    return json.dumps({"name": called, "fields": said}, sort_keys=True).encode()


def parse_card(raw: bytes, team: str) -> tuple[str, dict[str, str]]:
    """Return what an agent of `team` is called here, and what its card says; raises `BadWire`."""
    if len(raw) > CARD_BYTES:
        raise BadWire(why=f"a card of {team} of {len(raw)} bytes, and {CARD_BYTES} are the most")
    said = _object(raw)
    called, fields = said.get("name"), said.get("fields")
    if not isinstance(called, str) or not called or foreign(called.partition("@")[0], team) != called:
        raise BadWire(why=f"a card of {team} that is of another team, or nobody's")
    kept = fields if isinstance(fields, dict) else {}
    return called, {name: _line(kept.get(name), _FIELD_LENGTH) for name in _CARD_FIELDS}


def _line(value: object, length: int) -> str:
    """Return one line of text without control characters, '' for what is no text."""
    return "".join(ch for ch in value if ch.isprintable())[:length] if isinstance(value, str) else ""


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadWire(why="it is no JSON object")
    return found
