"""`send` without click: this module parses the options that it knows, and leaves anything else to click."""

import os
import sys

from ai_bridge.cli import sending
from ai_bridge.errors import BridgeError, disk_error

VALUES = {
    "--mailboxes": "mailboxes",
    "--agent": "agent",
    "--from": "sender",
    "--file": "file",
    "--message": "message",
    "-m": "message",
    "--reply-to": "reply_to",
    "--wait-read": "wait_read",
    "--decide": "decide",
    "--voters": "voters",
    "--expires": "expires",
    "--urgency": "urgency",
}
# Options that may be repeated.
LISTS = {"--context": "context"}
FLAGS = {"--json": "json", "--batch": "batch", "--allow-empty": "allow_empty"}


def send(words: list[str]) -> None:
    """Send, and end the process with its exit code; return only if click has to parse or refuse the words."""
    request = parse(words)
    if request is None or "_AI_BRIDGE_COMPLETE" in os.environ:
        return
    code = _exit_code(request)
    if sys.stderr is not None:
        sys.stderr.flush()
    os._exit(code)  # skips the interpreter's shutdown: everything that matters is on the disk


def _exit_code(request: sending.Request) -> int:
    try:
        return sending.run(request, sys.stdout)
    except (BridgeError, OSError) as trouble:
        from ai_bridge.cli import sandbox  # most messages are not refused

        found = disk_error("the mailboxes", trouble) if isinstance(trouble, OSError) else trouble
        refusal = sandbox.explained("send", found)
        if sys.stderr is not None:
            sys.stderr.write(f"error: {refusal}\n")
        return refusal.exit_code
    except KeyboardInterrupt:
        return 130


def parse(words: list[str]) -> sending.Request | None:
    """Return the request that the words make, or None if they hold anything that this module does not know."""
    found: dict[str, object] = {}
    lists: dict[str, list[str]] = {name: [] for name in LISTS.values()}
    plain: list[str] = []
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if word in FLAGS:
            found[FLAGS[word]] = True
        elif (name in VALUES or name in LISTS) and (name.startswith("--") or not equals):
            text = value if equals else next(rest, None)
            if text is None or not _is_taken(name, text, found, lists):
                return None
        elif word.startswith("-"):
            return None
        else:
            plain.append(word)
    if not (1 if found.get("reply_to") is None else 0) <= len(plain) <= 2:
        return None
    recipient, subject, *_ = (*plain, None, None)
    return sending.Request(recipient=recipient, subject=subject, **found, **lists)


def _is_taken(name: str, text: str, found: dict[str, object], lists: dict[str, list[str]]) -> bool:
    """Put the value of an option into `found` or `lists`; False if the value is not valid."""
    if name in LISTS:
        lists[LISTS[name]].append(text)
        return True
    value = text if name != "--wait-read" else sending.seconds(text)
    found[VALUES[name]] = value
    return value is not None
