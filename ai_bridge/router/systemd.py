"""A systemd user unit for the router. This module writes and shows the unit; a person enables it.

If the router cannot start, because another one runs or a share is not mounted yet, systemd tries it again twice per
minute, and never gives up.
"""

import os
import sys

from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system.config_files import put_config
from ai_bridge.system.directories import state_base
from ai_bridge.system.processes import MODULE

_UNIT = """\
[Unit]
Description=ai-bridge router of {scope} ({mailboxes})
StartLimitIntervalSec=0

[Service]
Environment={state}
ExecStart={command}
Restart=on-failure
RestartSec=30
TimeoutStopSec=20
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


class UnitDiffers(BridgeError):
    sentence = "{path} exists with other content: look at it, then use --force to replace it"


def unit(mailboxes: Tree, only: str | None) -> tuple[str, str]:
    """Return the path and the text of the unit for the agent `only`, or for all agents if `only` is None."""
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
    """Write the unit; False if the file has this text already.

    Raises `UnitDiffers` if the file has another text, unless `force`; raises OSError.
    """
    if os.path.exists(path):
        with open(path, "rb") as file:
            if file.read() == text.encode():
                return False
        if not force:
            raise UnitDiffers(path=path)
    put_config(path, text.encode())
    return True


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """Quote one word of ExecStart as systemd.service(5) reads it."""
    escaped = _escaped(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"'
