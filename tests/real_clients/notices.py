"""How often a conversation, as the model sees it, tells of mail."""

from __future__ import annotations

import json
import re

from ai_bridge.reach.ways import MARK
from tests.real_clients.model import Request

# A notice begins with how many messages it tells of; what the server says of itself names the mark only. A hook that
# carries the mail itself says "1 message".
_NOTICE = re.compile(re.escape(MARK) + r" (\d+) new messages? for \S+, from ([^:]*)")
_SENDER = re.compile(r"^From: (\S+)", re.MULTILINE)
_FENCE = re.compile(r"--- mail [0-9a-f]{8} ---")


def tells(request: Request) -> bool:
    """Tell whether what is new in a request holds a notice of mail."""
    return bool(told_of(request))


def told_of(request: Request) -> list[int]:
    """Return of how many messages each notice tells that is new in a request."""
    return [int(number) for number, _ in _NOTICE.findall(request.new)]


def told_from(request: Request) -> list[str]:
    """Return the senders that the notices name which are new in a request, one as often as it is named."""
    return [sender for _, senders in _NOTICE.findall(request.new) for sender in senders.split(", ")]


def unseen(request: Request) -> set[str]:
    """Return the senders that a request tells of without showing a message of theirs."""
    return set(told_from(request)) - set(_SENDER.findall(request.new))


def shown(request: Request) -> int:
    """Return how many messages are shown whole in what is new in a request, by a read or by a hook."""
    return len(_FENCE.findall(request.new))


def notices(request: Request) -> int:
    """Return how many notices of mail the model sees in the whole conversation up to now."""
    return len(_NOTICE.findall(_conversation(request)))


def bodies(request: Request, text: str) -> int:
    """Return how often the model sees a text in the whole conversation up to now."""
    return _conversation(request).count(json.dumps(text, ensure_ascii=False)[1:-1])


def _conversation(request: Request) -> str:
    turns = next(request.body[key] for key in ("messages", "contents", "input") if key in request.body)
    return json.dumps(turns, ensure_ascii=False)
