"""Messages as a pipe gets them: the frozen JSON object, one line each, or the whole text."""

from __future__ import annotations

from typing import NamedTuple

import click

from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.trace import Place, by_message
from ai_bridge.message.ids import stamp_of
from ai_bridge.message.message import Message
from ai_bridge.system import times
from ai_bridge.text import OF_LANGUAGES, printable, shorten

_NO_TIME = "-".ljust(17)
# Characters that a body keeps, though they are not printable.
BODY_KEEPS = "\n\t" + OF_LANGUAGES


def as_json(message: Message, state: str, path: str, with_body: bool = True) -> dict[str, object]:
    """Return a message as the JSON object on which programs rely; a missing header or body is None."""
    return {
        "id": message.id,
        "from": message.sender,
        "to": message.get("To"),
        "subject": message.subject,
        "date": message.get("Date"),
        "in_reply_to": message.get("In-Reply-To"),
        "thread": message.thread,
        "state": state,
        "path": path,
        "headers": message.headers,
        "body": message.body if with_body else None,
    }


def line(message: Message, state: str, recipients: list[str]) -> str:
    """Return a message in one line: state, ID, time (UTC; else that of its ID), sender, recipients, subject."""
    to = ", ".join(recipients)
    subject = shorten(printable(message.subject), 60)
    at = times.to_minute(date_of(message)) or _NO_TIME
    head = f"{click.style(state.ljust(9), bold=True)} {message.id}  {at}"
    return f"{head}  {message.sender} → {to}  {subject}"


def date_of(message: Message) -> str:
    """Return the date of a message: that of its header `Date`, else that in its ID, '' if there is neither."""
    stamp = stamp_of(message.id)
    return message.get("Date") or (times.stamp_to_date(stamp) if stamp else "")


def text(message: Message) -> str:
    """Return a message as text for a person; characters that could act on a terminal become escapes."""
    head = "".join(
        f"{click.style(name + ':', fg='cyan')} {printable(value)}\n" for name, value in message.headers.items()
    )
    body = printable(message.body, keep=BODY_KEEPS)
    return f"{head}\n{body}" + ("" if body.endswith("\n") else "\n")


class Entry(NamedTuple):
    """A message as it is in one state: one `place`, and all `recipients` whose copies are in that `state`.

    If the message cannot be read, `message` is None and `trouble` says why.
    """

    place: Place
    state: str
    recipients: list[str]
    message: Message | None
    trouble: str = ""


def entries(places: list[Place]) -> list[Entry]:
    """Return one entry per message and state; reads one file of each."""
    found = []
    for copies in by_message(places):
        for state in dict.fromkeys(place.state for place in copies):
            there = [place for place in copies if place.state == state]
            recipients = [place.recipient for place in there if place.recipient]
            try:
                message = there[0].load()
                found.append(Entry(there[0], state, recipients or message.recipients, message))
            except (BridgeError, OSError) as trouble:
                found.append(Entry(there[0], state, recipients, None, str(trouble)))
    return found


def entry_line(entry: Entry) -> str:
    """Return the line of an entry for a pipe; if its message cannot be read, the line gives the reason."""
    if entry.message is None:
        return unreadable(entry.place, entry.trouble)
    return line(entry.message, entry.state, entry.recipients)


def unreadable(place: Place, trouble: object) -> str:
    """Return the line of a message that cannot be read, for that reason."""
    return f"{place.state:9} {printable(place.name)}  ({printable(str(trouble))})"


def place_objects(places: list[Place], with_body: bool) -> tuple[list[dict[str, object]], list[str]]:
    """Return the JSON objects of messages, one per place, and one line for each that cannot be read."""
    objects, lines = [], []
    for place in places:
        try:
            objects.append(as_json(place.load(), place.state, place.path, with_body))
        except (BridgeError, OSError) as trouble:
            lines.append(unreadable(place, trouble))
    return objects, lines


def print_places(places: list[Place], as_json_lines: bool, with_body: bool = True) -> None:
    """Print one line per message, or JSON Lines; with JSON, messages that cannot be read go to standard error."""
    from ai_bridge.cli.common import echo_json

    objects, lines = (
        place_objects(places, with_body) if as_json_lines else ([], list(map(entry_line, entries(places))))
    )
    echo_json(objects)
    for entry in lines:
        click.echo(entry, err=as_json_lines)
