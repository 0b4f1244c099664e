"""The forms on the wire: subjects, headers, and the small texts of receipts and cards; docs/format.md defines them.

A subject names the receiving and the sending team, so that the server's own permissions can hold a team to its name.
Then it names the agent: `name@project` becomes the two tokens `name.project`, as no part of an address holds a dot.
The subjects of mail and receipts end with a key of their own, by which the stream knows if it still holds a message.
"""

import hashlib
import json
from typing import Any

from ai_bridge.errors import Malformed
from ai_bridge.message import address, ids, message
from ai_bridge.message.message import Message

MAIL, RECEIPTS, CARDS = STREAMS = ("AIBRIDGE_MAIL", "AIBRIDGE_RECEIPTS", "AIBRIDGE_CARDS")
SUBJECTS = {
    MAIL: ["aibridge.mail.>"],
    RECEIPTS: ["aibridge.receipt.>"],
    CARDS: ["aibridge.card.>", "aibridge.team.*"],
}
# The sender's address in its own team, how often the message came back and was sent again, its file's name there.
SENDER, ATTEMPT, NAME = "Ai-Bridge-Sender", "Ai-Bridge-Attempt", "Ai-Bridge-Name"
ARRIVED, READ, MALFORMED = "arrived", "read", "malformed"
_REASON_LENGTH = 2000
# One receipt may report the arrival of this many messages.
ARRIVED_AT_ONCE = 500
_KEY_LENGTH = 24


class BadWire(Malformed):
    sentence = "invalid data came over the link: {why}"


# --- names and subjects ---------------------------------------------------------------------------------


def foreign(agent: str, team: str) -> str:
    """Return an agent's address in other teams: `name@team` or `name-project@team`; '' if that is not valid."""
    name = agent.replace("@", "-")
    called = f"{name}@{team}"
    return called if address.is_address(called) and name != address.POSTMASTER else ""


def team_of(called: str) -> str:
    """Return the team in the address of another team's agent."""
    return called.partition("@")[2]


def mail_to(agent: str, team: str, ours: str, name: str, attempt: int) -> str:
    """Return the subject of the message `name` to an agent of `team`; it came back `attempt` times before."""
    return f"aibridge.mail.{team}.{ours}.{agent.replace('@', '.')}.{_key(name, attempt)}"


def receipt_to(agent: str, team: str, ours: str, raw: bytes, attempt: int = 0) -> str:
    """Return the subject of the receipt `raw` to the agent that has the address `agent` in `team`."""
    return f"aibridge.receipt.{team}.{ours}.{agent.replace('@', '.')}.{_key(raw.decode(), attempt)}"


def _key(text: str, attempt: int) -> str:
    return hashlib.sha256(f"{text}~{attempt}".encode()).hexdigest()[:_KEY_LENGTH]


def card_of(agent: str, team: str) -> str:
    """Return the subject of the card of an agent of `team`."""
    return f"aibridge.card.{team}.{agent.replace('@', '.')}"


def claim_of(team: str) -> str:
    """Return the subject with which a team claims its name."""
    return f"aibridge.team.{team}"


def filter_of(stream: str, team: str) -> str:
    """Return the filter for the subjects in a stream that are for a team."""
    return f"aibridge.{'mail' if stream == MAIL else 'receipt'}.{team}.>"


def parse_subject(subject: str) -> tuple[str, str, str]:
    """Return (receiving team, sending team, agent) of a subject with a key; raises `BadWire`."""
    ours, team, agent = _parsed(subject, subject.split(".")[2:-1], 2)
    return ours, team, agent


def parse_card_subject(subject: str) -> tuple[str, str]:
    """Return (team, agent) of the subject of a card; raises `BadWire`."""
    team, agent = _parsed(subject, subject.split(".")[2:], 1)
    return team, agent


def writer_of(subject: str) -> str:
    """Return the sending team of a subject, which the server guarantees; '' if the subject names none."""
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
    """Return the text of a message for the other side: `names` replaces addresses in its headers, the body stays."""
    headers = {
        name: ", ".join(names.get(one, one) for one in address.split_list(value))
        if name.lower() in ("from", "to", "voters")
        else value
        for name, value in parsed.headers.items()
    }
    return message.format_message(Message(headers, parsed.body))


# --- receipts -------------------------------------------------------------------------------------------


class Receipt:
    """The fate of a message: its `id`, its `recipient` as its sender knows it, and its `state`.

    `state` is `ARRIVED`, `READ` or `MALFORMED`; `reason` is '' if none was given.
    """

    __slots__ = ("id", "reason", "recipient", "state")

    def __init__(self, id_: str, recipient: str, state: str, reason: str = "") -> None:
        self.id = id_
        self.recipient = recipient
        self.state = state
        self.reason = _line(reason, _REASON_LENGTH)

    def as_bytes(self) -> bytes:
        """Return the receipt as the JSON that is published."""
        said = {"id": self.id, "recipient": self.recipient, "state": self.state, "reason": self.reason}
        return json.dumps(said).encode()


def arrived_bytes(arrived: list[tuple[str, str]]) -> bytes:
    """Return the receipt for the arrival of messages, each as (ID, recipient as its sender knows it)."""
    return json.dumps({"state": ARRIVED, "messages": arrived}).encode()


def parse_receipts(raw: bytes) -> list[Receipt]:
    """Return the receipts in the content of one message; raises `BadWire`."""
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
    if not (ids.is_id(id_) and address.is_address(recipient) and state in (ARRIVED, READ, MALFORMED)):
        raise BadWire(why="a receipt without ID, recipient or state")
    return Receipt(id_, recipient, state, reason)


# --- cards ----------------------------------------------------------------------------------------------

_CARD_FIELDS = ("display", "client", "project", "description", "since")
_FIELD_LENGTH = 400
CARD_BYTES = 16_384


def card_bytes(called: str, fields: dict[str, str]) -> bytes:
    """Return the card to publish of the agent that other teams know as `called`."""
    said = {name: value for name in _CARD_FIELDS if (value := fields.get(name))}
    return json.dumps({"name": called, "fields": said}, sort_keys=True).encode()


def parse_card(raw: bytes, team: str) -> tuple[str, dict[str, str]]:
    """Return the address here of an agent of `team`, and the fields of its card; raises `BadWire`."""
    if len(raw) > CARD_BYTES:
        raise BadWire(why=f"a card of {team} has {len(raw)} bytes, over the limit of {CARD_BYTES}")
    said = _object(raw)
    called, fields = said.get("name"), said.get("fields")
    if not isinstance(called, str) or not called or foreign(called.partition("@")[0], team) != called:
        raise BadWire(why=f"a card of {team} names no agent of that team")
    kept = fields if isinstance(fields, dict) else {}
    return called, {name: _line(kept.get(name), _FIELD_LENGTH) for name in _CARD_FIELDS}


def _line(value: object, length: int) -> str:
    """Return `value` without control characters and at most `length` long, '' if it is no text."""
    return "".join(ch for ch in value if ch.isprintable())[:length] if isinstance(value, str) else ""


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadWire(why="it is no JSON object")
    return found
