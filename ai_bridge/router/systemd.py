"""A systemd user unit for the router. This module writes, shows and takes out the unit; a person enables it.

If the router cannot start, because another one runs or a share is not mounted yet, systemd tries it again twice per
minute, and never gives up.
"""

import os
import shutil
import subprocess
import sys
from contextlib import suppress

from ai_bridge.errors import BridgeError, Malformed
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import durable, untrusted
from ai_bridge.system.config_files import put_config, remove_empty
from ai_bridge.system.directories import state_base
from ai_bridge.system.processes import MODULE

# Longer than a unit is given to stop.
_ORDER_S = 60.0
_PREFIX, _SUFFIX = "ai-bridge-", ".service"
_BEGINNING = "[Unit]\nDescription=ai-bridge router of "
_UNIT = f"""\
{_BEGINNING}{{scope}} ({{mailboxes}})
StartLimitIntervalSec=0

[Service]
Environment={{state}}
ExecStart={{command}}
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
    return os.path.join(_folder(), f"{_PREFIX}{name}{'-' + only if only else ''}{_SUFFIX}"), text


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


def written() -> list[str]:
    """Return the paths of this user's units that this program wrote, sorted."""
    folder = _folder()
    names = [name for name in untrusted.listed(folder) if name.startswith(_PREFIX) and name.endswith(_SUFFIX)]
    return [path for path in (os.path.join(folder, name) for name in sorted(names)) if _is_ours(path)]


def take_out(path: str) -> None:
    """Stop and disable a unit if systemd can be asked, then remove it, and folders that are then empty.

    Without systemd the router may run on: its lock shows it. Raises OSError.
    """
    folder, name = os.path.split(path)
    _ask_systemd("disable", "--now", name)
    wanted = os.path.join(folder, "default.target.wants", name)
    if os.path.islink(wanted):  # systemd was not there to remove it
        durable.remove(wanted)
    durable.remove(path, flush=True)
    for left in (os.path.dirname(wanted), folder):
        remove_empty(left, _above())
    _ask_systemd("daemon-reload")


def _ask_systemd(*words: str) -> None:
    """Give this user's systemd an order; does nothing if it is not there, cannot be reached, or takes too long."""
    if (program := shutil.which("systemctl")) is not None:
        with suppress(OSError, subprocess.TimeoutExpired):
            order = [program, "--user", *words]
            subprocess.run(order, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ORDER_S, check=False)


def _is_ours(path: str) -> bool:
    try:
        return untrusted.read_start(path, len(_BEGINNING)) == _BEGINNING.encode()
    except (OSError, Malformed):
        return False


def _folder() -> str:
    """Return the folder of this user's units."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(base, "systemd", "user")


def _above() -> str:
    """Return the folder that stays, however empty it becomes."""
    return os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~")


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """Quote one word of ExecStart as systemd.service(5) reads it."""
    escaped = _escaped(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"'
