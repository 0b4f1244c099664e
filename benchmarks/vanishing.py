"""Stands between ai-bridge and a client: lets a share of the rings vanish, and writes each ring down.

A ring that vanishes is taken as any other, so ai-bridge cannot tell that it was lost. `make` writes two programs that
run this module: an `ai-bridge` for the client to start, and a `codex` for our server to queue a message with.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_SOCKET = "CLAUDE_CODE_MESSAGING_SOCKET"
_SCRIPT = """#!{python}
import sys
sys.path[:0] = [{here!r}, {root!r}]
import vanishing
vanishing.{begin}({log!r}, {share!r})
"""
PASSED, VANISHED = "passed", "vanished"


def make(folder: Path, share: float) -> tuple[Path, Path]:
    """Make an installation of `ai-bridge` whose rings vanish at this share; returns the program and the log."""
    venv.create(folder, with_pip=False)
    (found,) = (path for path in sys.path if path.endswith("site-packages"))
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "there.pth").write_text(f"{found}\n{ROOT}\n")
    log = folder / "rings"
    log.touch()
    for name, begin in ("ai-bridge", "ai_bridge"), ("codex", "codex"):
        place = folder / ("bin" if name == "ai-bridge" else "codex") / name
        place.parent.mkdir(exist_ok=True)
        words = {"python": folder / "bin" / "python", "here": str(Path(__file__).parent), "root": str(ROOT)}
        place.write_text(_SCRIPT.format(**words, begin=begin, log=str(log), share=share))
        place.chmod(0o755)
    return folder / "bin" / "ai-bridge", log


def counted(log: Path) -> tuple[int, int]:
    """Return how many rings passed and how many vanished so far."""
    lines = log.read_text().split()
    return lines.count(PASSED), lines.count(VANISHED)


def _vanishes(log: str, share: float) -> bool:
    """Decide whether the next ring vanishes, and write that down; the same for each run."""
    with open(log, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        number = len(file.read().split())
        vanishes = random.Random(number).random() < share
        file.write(f"{VANISHED if vanishes else PASSED}\n")
        return vanishes


# --- the programs ---------------------------------------------------------------------------------------


def ai_bridge(log: str, share: float) -> None:
    """Run `ai-bridge`; the rings of a server or of a wait go by this process."""
    words = sys.argv[1:]
    if words[:1] == ["mcp"] and os.environ.get(_SOCKET):
        os.environ[_SOCKET] = _stand_before(os.environ[_SOCKET], log, share)
    elif words[:1] == ["mcp"] and _is_codex(os.getppid()):
        sys.exit(_serve_below())
    elif words[:2] == ["wait", "--new"]:
        _wait(log, share)
    _run()


def codex(log: str, share: float) -> None:
    """Run `codex`; what it is to queue may vanish."""
    if sys.argv[1:2] == ["queue"] and _vanishes(log, share):
        sys.exit(0)
    rest = [part for part in os.environ["PATH"].split(os.pathsep) if part != os.path.dirname(sys.argv[0])]
    program = shutil.which("codex", path=os.pathsep.join(rest)) or "codex"
    del os.environ["CODEX_HOME"]
    os.execv(program, ["codex", *sys.argv[1:]])


def _stand_before(real: str, log: str, share: float) -> str:
    """Take all that is written to a session's socket, and hand it on unless it vanishes; returns the own path."""
    path = f"{log}-{os.getpid()}"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen()

    def serve() -> None:
        while True:
            taken, _ = listener.accept()
            with taken, contextlib.suppress(OSError):
                said = b"".join(iter(lambda: taken.recv(65536), b""))  # noqa: B023
                if said and not _vanishes(log, share):
                    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as session:
                        session.connect(real)
                        session.sendall(said)

    threading.Thread(target=serve, daemon=True).start()
    return path


def _is_codex(pid: int) -> bool:
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).startswith("codex")
    except OSError:
        return False


def _serve_below() -> int:
    """Run the server as a child, so that it finds our `codex` and no daemon; returns its exit code.

    The daemon says what it took, so nothing that it was given vanishes. Only `codex queue` may lose a message.
    """
    own = os.path.join(os.path.dirname(os.path.dirname(sys.argv[0])), "codex")
    environment = {**os.environ, "CODEX_HOME": "/nowhere"}
    environment["PATH"] = f"{own}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode


def _wait(log: str, share: float) -> None:
    """Wait for news, in this process, whose parents tell whose session it is; end without a line if that vanishes."""
    shown = os.dup(1)
    taken, given = os.pipe()
    os.dup2(given, 1)
    os.close(given)
    said: list[bytes] = []
    reader = threading.Thread(target=lambda: said.extend(iter(lambda: os.read(taken, 65536), b"")))
    reader.start()
    code: object = 0
    try:
        _run()
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        os.dup2(shown, 1)
        reader.join()
    if any(said) and not _vanishes(log, share):
        os.write(1, b"".join(said))
    sys.exit(code)  # type: ignore[arg-type]


def _run() -> None:
    from ai_bridge.cli.entry import ai_bridge as run

    run()
