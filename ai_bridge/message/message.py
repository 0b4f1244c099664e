"""The message: headers and a body, parsed from and formatted to the exact bytes of its file."""

from ai_bridge.errors import Malformed
from ai_bridge.message import address, headers
from ai_bridge.message.ids import is_id


class NotUtf8(Malformed):
    sentence = "the text is not UTF-8: byte {byte} at offset {offset} does not belong there; save it as UTF-8"


class MissingHeader(Malformed):
    sentence = "the required header {name} is missing: add a line `{name}: …`"


class BadId(Malformed):
    sentence = (
        "{id!r} is not a message ID: it begins with a letter or digit "
        "and holds at most 128 of letters, digits, `@`, `.`, `_` and `-`"
    )


class BadHeaderAddress(Malformed):
    sentence = "header {name} holds {address!r}, which is not an address (name or name@project, lower case)"


class Message:
    """A message: its `headers` in their order, with names as written, and its exact `body`."""

    __slots__ = ("body", "headers")

    def __init__(self, headers: dict[str, str], body: str) -> None:
        self.headers = headers
        self.body = body

    def get(self, name: str) -> str | None:
        """Return the value of the header `name` (without regard to case), or None."""
        if name in self.headers:
            return self.headers[name]
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), None)

    @property
    def id(self) -> str:
        """The value of the header `ID`, '' if it is missing."""
        return self.get("ID") or ""

    @property
    def sender(self) -> str:
        """The value of the header `From`, '' if it is missing."""
        return self.get("From") or ""

    @property
    def recipients(self) -> list[str]:
        """The entries of `To`, each once; `*` and `#group` stand for several agents."""
        return address.split_list(self.get("To") or "")

    @property
    def subject(self) -> str:
        """The value of the header `Subject`, '' if it is missing."""
        return self.get("Subject") or ""

    @property
    def thread(self) -> str | None:
        """The value of the header `Thread`, None if it is missing."""
        return self.get("Thread")

    def readdressed(self, recipient: str, sender: "str | None" = None) -> "Message":
        """Return the same message with this one recipient in `To`, and `sender`, if given, in `From`."""
        new = {"to": recipient, "from": self.sender if sender is None else sender}
        return Message({key: new.get(key.lower(), value) for key, value in self.headers.items()}, self.body)


def parse(raw: bytes) -> Message:
    """Return the message in the bytes `raw` of its file.

    Raises a `Malformed` with a sentence about the fault: not UTF-8, no blank line, a line that is no header, a
    duplicate, a control character, a missing required header, a bad ID or address.
    """
    block, body = headers.split(_decoded(raw))
    message = Message(headers.load(block), body)
    _check_required(message)
    return message


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotUtf8(byte=f"0x{raw[error.start]:02X}", offset=error.start) from None


def _check_required(message: Message) -> None:
    for name in headers.REQUIRED:
        if message.get(name) is None or (name in ("From", "To") and not message.get(name)):
            raise MissingHeader(name=name)
    if not is_id(message.id):
        raise BadId(id=message.id[:160])
    if not address.is_address(message.sender):
        raise BadHeaderAddress(name="From", address=message.sender)
    for entry in message.recipients:
        if not (address.is_several(entry) or address.is_address(entry)):
            raise BadHeaderAddress(name="To", address=entry)
    if not message.recipients:
        raise MissingHeader(name="To")


def format_message(message: Message) -> bytes:
    """Return the bytes of the message's file.

    Raises `Malformed` for a header that `parse` would refuse, or UnicodeEncodeError for a lone surrogate in the body.
    """
    return f"{headers.export(message.headers)}\n\n{message.body}".encode()
