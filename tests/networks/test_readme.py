"""The four commands of docs/machines.md, run exactly as written on two fresh machines, make mail go between them."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.networks import software
from tests.networks.hosts import ROOT, Host, until
from tests.networks.sshfs import FreshSshfs
from tests.networks.syncthing import FreshSyncthing

pytestmark = [pytest.mark.machines, pytest.mark.timeout(300)]

_NAMES = ("laptop", "mini")
_PATIENCE_S = 90.0


def _commands(word: str) -> list[tuple[int, str]]:
    """Return the page's block of commands that holds the word: the number of the machine, and what it runs."""
    for block in re.findall(r"```sh\n(.*?)```", (ROOT / "docs/machines.md").read_text(), re.DOTALL):
        found = re.findall(r"^(laptop|mini)\$ +(.+)$", block, re.MULTILINE)
        if found and word in block:
            return [(_NAMES.index(machine), command) for machine, command in found]
    raise AssertionError(f"docs/machines.md has no such block with {word}")


def _shell(host: Host, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a person types it, with nothing said about where the mailboxes are."""
    here = Path(sys.executable).parent
    environment = {name: value for name, value in host.environment.items() if not name.startswith("AI_BRIDGE_")}
    environment |= {"PATH": f"{here}:{environment['PATH']}", "AI_BRIDGE_STATE": host.environment["AI_BRIDGE_STATE"]}
    return host.node.run("sh", "-c", command, environment=environment)


def _typed(host: Host, command: str) -> str:
    done = _shell(host, command)
    assert done.returncode == 0, f"{host.node.name}$ {command}\n{done.stdout}"
    return done.stdout


def _is_read(host: Host, reader: str, mailboxes: str, text: str) -> bool:
    return text in _shell(host, f"ai-bridge read --agent {reader} --mailboxes {mailboxes}").stdout


def _write_to_each_other(hosts: list[Host], mailboxes: str) -> None:
    """Send both ways, as soon as the other agent is known, and read what came."""
    pairs = zip(hosts, hosts[::-1], (("claude", "gemini"), ("gemini", "claude")), strict=True)
    for here, there, (sender, to) in pairs:
        send = f"echo 'from {sender}' | ai-bridge send {to} greeting --from {sender} --mailboxes {mailboxes}"
        assert until(lambda: _shell(here, send).returncode == 0, _PATIENCE_S, 0.5), _typed(here, send)  # noqa: B023
        read = partial(_is_read, there, to, mailboxes, f"from {sender}")
        assert until(read, _PATIENCE_S, 0.5), f"nothing came from {sender}"


def test_with_syncthing(tmp_path: Path) -> None:
    if why := software.why_not("syncthing"):
        pytest.skip(why)
    with FreshSyncthing(tmp_path) as ground:
        for number, command in _commands("sync setup"):
            said = command.replace("DEVICE-ID-OF-MINI", ground.device(ground.hosts[1]))
            _typed(ground.hosts[number], said.replace("DEVICE-ID-OF-LAPTOP", ground.device(ground.hosts[0])))
        _write_to_each_other(ground.hosts, "~/mail")


def test_on_a_share(tmp_path: Path) -> None:
    """The share is of sshfs; what is mounted where is not the page's to say."""
    if why := software.why_not("sshfs"):
        pytest.skip(why)
    with FreshSshfs(tmp_path) as ground:
        commands = _commands("/mnt/team")
        for host in ground.hosts:
            host.node.must("mount", "-t", "tmpfs", "none", "/mnt")
            host.node.must("mkdir", "/mnt/team")
            host.node.must("mount", "--bind", str(host.mailboxes), "/mnt/team")
        try:
            for number, command in commands:
                _typed(ground.hosts[number], command)
            _write_to_each_other(ground.hosts, "/mnt/team/mail")
        finally:
            for host in ground.hosts:
                _shell(host, "ai-bridge stop --mailboxes /mnt/team/mail")
