"""Fills the gaps of a file that a person or a script wrote by hand: plain text, or headers without some of ours.

Plain text is text whose first line is no header. It becomes the body, byte for byte. In a file with headers, only
`ID`, `From` and `Subject` are filled in. The ID comes last, once it is known that the rest is a message.
"""

from ai_bridge.message import headers, message
from ai_bridge.message.message import Message
from ai_bridge.text import shorten

FILLED = ("ID", "From", "Subject")
_MARK = "\ufeff"
_SUBJECT_LENGTH = 120
_COMPLETER = "router"
_OURS = frozenset(name.lower() for name in headers.OURS)


def begins_like_message(text: str) -> bool:
    """Tell whether the first line of a text is a header, `Word: …`, whatever follows it."""
    name, colon, value = text.removeprefix(_MARK).partition("\n")[0].partition(":")
    if not (colon and headers.is_name(name) and name[0].isalpha()):
        return False
    return value.strip() == "" or value[0] in " \t" or name.lower() in _OURS


def recipient_in(name: str) -> str:
    """Return the word in a file's name that may be its recipient: `gemini` in `gemini.txt` and `hello.gemini.txt`."""
    return name.removesuffix(".txt").rpartition(".")[2]


def subject_of(body: str, default: str) -> str:
    """Return a subject made of the first line of a text that says anything, else `default`."""
    for line in body.removeprefix(_MARK).split("\n"):
        said = " ".join("".join(" " if headers.control_character(ch) else ch for ch in line).split())
        if said:
            return shorten(said, _SUBJECT_LENGTH)
    return default


def of_plain_text(text: str, sender: str, to: str, subject: str) -> Message:
    """Return plain text as a message that has no `ID` yet; `subject` is its subject if no line says anything."""
    return Message({"From": sender, "To": to, "Subject": subject_of(text, subject)}, text)


def of_headers(text: str, sender: str, subject: str) -> Message | None:
    """Return a message with headers, a `From` and a `Subject`; None if no header is missing that is filled in.

    Raises `Malformed` if the text has no header block.
    """
    block, body = headers.split(text)
    found = Message(headers.load(block), body)
    if all(found.get(name) is not None for name in FILLED):
        return None
    if found.get("From") is None:
        found.headers["From"] = sender
    if found.get("Subject") is None:
        found.headers["Subject"] = subject_of(body, subject)
    return found


def filled(found: Message, id_: str, date: str) -> bytes:
    """Return the bytes of the message, with this ID and date if it has no ID; raises `Malformed` if it is none.

    The message says that it was completed.
    """
    headers_ = {name: value for name in headers.REQUIRED if (value := found.get(name)) is not None}
    if "ID" not in headers_:
        headers_ = {"ID": id_, **headers_} | ({"Date": date} if found.get("Date") is None else {})
    headers_[headers.COMPLETED] = _COMPLETER
    known = {name.lower() for name in headers_}
    rest = {name: value for name, value in found.headers.items() if name.lower() not in known}
    raw = message.format_message(Message(headers_ | rest, found.body))
    message.parse(raw)
    return raw


def decoded(raw: bytes) -> str | None:
    """Return the text of a file, None if it is not UTF-8 or says nothing."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text.strip() else None
