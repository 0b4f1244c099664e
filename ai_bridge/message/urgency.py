"""The header `Urgency`: how hard its recipient's session is rung for a message. A message without it is for `next`.

`quiet` mail waits for the session's next turn and never starts one. `now` may reach a working session between two
tool calls.
"""

from ai_bridge.errors import BridgeError
from ai_bridge.message.headers import URGENCY
from ai_bridge.message.message import Message

NOW, NEXT, QUIET = "now", "next", "quiet"
URGENCIES = (NOW, NEXT, QUIET)


class BadUrgency(BridgeError):
    sentence = "a message is urgent now, next or quiet, not {text!r}"


def urgency_of(message: Message) -> str:
    """Return how urgent a message is; `next` if it does not say, or says what this version does not know."""
    said = message.get(URGENCY)
    return said if said in URGENCIES else NEXT


def checked(text: str) -> str:
    """Return the urgency that somebody gave; raises `BadUrgency` if it is none."""
    if text not in URGENCIES:
        raise BadUrgency(text=text[:80])
    return text


def header(text: str) -> dict[str, str]:
    """Return the header of a message of this urgency: none if that is `next`. Raises `BadUrgency`."""
    return {} if checked(text) == NEXT else {URGENCY: text}
