"""`python -m tests.networks.guest.boot WORDS…` runs a command in a guest; its files are this machine's, read-only.

What the command writes, below /tmp, is gone at the end. Time in the guest is this machine's.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

_KERNEL = "linux.uml"
_MEMORY = "1500M"
_ENDED = "GUEST ENDED WITH "


def run(
    words: Sequence[str],
    limit_s: float,
    directory: str | None = None,
    disks: Sequence[Path] = (),
    cut_at: str | None = None,
) -> tuple[int | None, str]:
    """Run a command in a guest; returns its exit code, None where it was cut off, and all the console showed.

    `disks` are files that the guest has as /dev/ubda, /dev/ubdb and so on. Its power is cut once it shows the line
    `cut_at`: what it had not written to its disks is lost.
    """
    base = Path(tempfile.mkdtemp(prefix="guest-"))
    try:
        ubd = [f"ubd{chr(ord('a') + number)}={disk}" for number, disk in enumerate(disks)]
        return _boot([*_prepare(base, words, directory or os.getcwd()), *ubd], base, limit_s, cut_at)
    finally:
        shutil.rmtree(base)


def _prepare(base: Path, words: Sequence[str], directory: str) -> list[str]:
    """Write the job and the first process beside each other; returns the command that boots the guest."""
    (base / "checkout").write_text(directory)
    (base / "job").write_text(f"cd {shlex.quote(directory)} && exec {shlex.join(words)}\n")
    shutil.copy(Path(__file__).with_name("init.sh"), base / "init")
    (base / "init").chmod(0o755)
    console = ["con=null", "con0=null,fd:1", "ssl=null", "quiet", "loglevel=3"]
    root = ["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"]
    return [_KERNEL, f"mem={_MEMORY}", *root, *console, f"init={base / 'init'}"]


def _boot(command: Sequence[str], home: Path, limit_s: float, cut_at: str | None) -> tuple[int | None, str]:
    """Boot, and end with the guest; its kernel keeps a directory of its own in the home."""
    guest = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "HOME": str(home)},
        start_new_session=True,
    )
    cut_off = threading.Timer(limit_s, _power_off, [guest])
    cut_off.start()
    try:
        shown = _console(guest, cut_at)
    finally:
        cut_off.cancel()
        _power_off(guest)
        guest.wait()
    return _code(shown), "\n".join(line for line in shown if not line.startswith(_ENDED))


def _console(guest: subprocess.Popen[bytes], cut_at: str | None) -> list[str]:
    """Return all that the console shows until the guest is off; switch it off at the line `cut_at`."""
    assert guest.stdout is not None
    shown = []
    with guest.stdout as console:
        for raw in console:
            shown.append(raw.decode("utf-8", "replace").rstrip())
            if os.environ.get("MACHINES_CONSOLE"):
                print(shown[-1], file=sys.stderr, flush=True)
            if shown[-1] == cut_at:
                _power_off(guest)
    return shown


def _power_off(guest: subprocess.Popen[bytes]) -> None:
    """End the guest and the processes of this machine it runs on: it made itself a session of its own."""
    if guest.poll() is None:
        os.killpg(guest.pid, signal.SIGKILL)


def _code(shown: Sequence[str]) -> int | None:
    told = [line.removeprefix(_ENDED) for line in shown if line.startswith(_ENDED)]
    return int(told[-1]) if told else None


def main() -> int:
    code, shown = run(sys.argv[1:], float(os.environ.get("MACHINES_LIMIT_S", "300")))
    print(shown)
    return 1 if code is None else code


if __name__ == "__main__":
    sys.exit(main())
