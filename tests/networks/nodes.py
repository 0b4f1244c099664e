"""Machines as far as a program can tell: each with a network, mounts and a host name of its own, and links between.

Nothing of this has a name outside: a node is a set of namespaces that ends with the process that holds them, and
that process ends with ours, however ours ends.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

# `cat` holds the namespaces until our end of its pipe is closed, by us or by our death.
_HOLD = 'hostname "$0" && ip link set lo up && echo ready && exec cat'
_numbers = itertools.count(1)


class Node:
    """A machine; `close` ends every process that was started on it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._started: list[subprocess.Popen[str]] = []
        new = ("unshare", "--net", "--mount", "--uts", "--propagation", "private")
        self._holder = subprocess.Popen(
            [*new, "sh", "-c", _HOLD, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n", "namespaces cannot be made here"

    def words(self, command: Sequence[str]) -> list[str]:
        """Return the command that runs `command` here; it is killed when the process that starts it dies."""
        enter = ["nsenter", f"--target={self._holder.pid}", "--net", "--mount", "--uts", f"--wdns={os.getcwd()}"]
        return [*enter, "setpriv", "--pdeathsig", "KILL", "--", *command]

    def run(
        self, *command: str, timeout_s: float = 60.0, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; returns its exit code and what it said, both streams as one text."""
        return subprocess.run(
            self.words(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            env=environment,
            check=False,
        )

    def must(self, *command: str) -> str:
        """Run a command that must succeed; returns what it said."""
        done = self.run(*command)
        assert done.returncode == 0, f"on {self.name}, `{' '.join(command)}` failed: {done.stdout.strip()}"
        return done.stdout

    def spawn(
        self,
        *command: str,
        log: Path,
        stdout: int | IO[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """Start a process; its standard error, and its output if that is not wanted, are added to `log`."""
        with log.open("a") as said:
            process = subprocess.Popen(
                self.words(command),
                stdin=subprocess.DEVNULL,
                stdout=said if stdout is None else stdout,
                stderr=said,
                text=True,
                env=environment,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def join(self, other: Node) -> Link:
        """Lay a cable to another node."""
        return Link(self, other, self._holder.pid, other._holder.pid)

    def close(self) -> None:
        for process in reversed(self._started):
            end(process)
            if process.stdout is not None:
                process.stdout.close()
        self._holder.communicate(timeout=20)


class Link:
    """A cable between two nodes: `one` and `other` are their addresses on it."""

    def __init__(self, one: Node, other: Node, pid: int, other_pid: int) -> None:
        number = next(_numbers)
        self.one, self.other = f"10.77.{number}.1", f"10.77.{number}.2"
        self._node, self._name = one, f"to-{number}"
        ends = ("name", self._name, "type", "veth", "peer", "name", self._name, "netns", str(other_pid))
        one.must("ip", "link", "add", *ends)
        for node, address in ((one, self.one), (other, self.other)):
            node.must("ip", "address", "add", f"{address}/24", "broadcast", "+", "dev", self._name)
            node.must("ip", "link", "set", self._name, "up")

    def cut(self) -> None:
        """Pull the cable: what is sent is lost, and nobody is told."""
        self._node.must("ip", "link", "set", self._name, "down")

    def heal(self) -> None:
        """Put the cable back."""
        self._node.must("ip", "link", "set", self._name, "up")


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it ended meanwhile
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def kill(process: subprocess.Popen[str], alone: bool = False) -> None:
    """kill -9 a process, which must be alive, and unless `alone` all that descend from it."""
    assert process.poll() is None, f"{process.args!r} ended by itself"
    for pid in [process.pid] if alone else family(process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # it ended meanwhile
            continue
    process.wait(60)


def end(process: subprocess.Popen[str]) -> None:
    """End a process if it is alive."""
    if process.poll() is None:
        kill(process)
