"""A systemd user unit for the router: written and shown; whether to enable it is the person's to say."""

import os
import sys

from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.system import durable
from ai_bridge.system.directories import state_base
from ai_bridge.system.processes import MODULE

_UNIT = """\
[Unit]
Description=ai-bridge router of {scope} ({mailboxes})

[Service]
Environment={state}
ExecStart={command}
Restart=on-failure
RestartSec=1
TimeoutStopSec=20
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


class UnitDiffers(BridgeError):
    sentence = "{path} exists with other content: look at it, then use --force to replace it"


def unit(mailboxes: Mailboxes, only: str | None) -> tuple[str, str]:
    """Return the unit's path and its text."""
    name = os.path.basename(mailboxes.state_directory())
    words = [sys.executable, *MODULE, "router", "--mailboxes", mailboxes.path]
    words += ["--agent", only] if only else []
    text = _UNIT.format(
        scope=only or "all agents",
        state=_quoted(f"AI_BRIDGE_STATE={state_base()}"),
        mailboxes=_escaped(mailboxes.path),
        command=" ".join(_quoted(word) for word in words),
    )
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(base, "systemd", "user", f"ai-bridge-{name}{'-' + only if only else ''}.service"), text


def install(path: str, text: str, force: bool = False) -> bool:
    """Write the unit; False where it stands there already. Raises `UnitDiffers` rather than replace another."""
    if os.path.exists(path):
        with open(path, "rb") as file:
            if file.read() == text.encode():
                return False
        if not force:
            raise UnitDiffers(path=path)
    put_config(path, text.encode())
    return True


def put_config(path: str, data: bytes, mode: int = 0o644) -> None:
    """Put `data` under `path` among the person's own configuration, with the mode it had, if it was there."""
    durable.make_directory(os.path.dirname(path), 0o755)
    mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else mode
    durable.replace_own(path, data, mode)


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """Quote one word of ExecStart as systemd.service(5) reads it."""
    escaped = _escaped(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"'
