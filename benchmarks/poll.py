"""The cost of an idle router of 20 agents: by events, with a look every second, and on another host's directory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import common
from idle import cpu_seconds

sys.path.insert(0, str(common.ROOT))  # the hosts are those of the tests
from tests.networks import software
from tests.networks.sshfs import Sshfs

_AGENTS = [f"agent-{number}" for number in range(20)]
_SETTLING_S = 3.0
_TARGET = "2 %"


def main() -> None:
    options = common.parser(__doc__)
    options.add_argument("--seconds", type=float, default=60.0)
    chosen = options.parse_args()
    with common.throw_away(chosen.dir) as directory, ExitStack() as stack:
        pids = {name: stack.enter_context(start(directory)) for name, start in _kinds().items()}
        time.sleep(_SETTLING_S)
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        time.sleep(chosen.seconds)
        after = {name: cpu_seconds(pid) for name, pid in pids.items()}
    rows = [[name, *_shares(before[name], after[name], chosen.seconds)] for name in pids]
    headings = ["router of 20 agents", "of a core, by ticks", "by the scheduler"]
    common.print_table(f"poll: idle, {chosen.seconds:g} s", headings, [*rows, ["target", _TARGET, _TARGET]])


def _kinds() -> dict[str, Callable[[Path], object]]:
    """Return what is compared; a directory of another host only where there can be one."""
    kinds = {"events": _plain(), "--poll, times of directories": _plain("--poll")}
    if why := software.why_not("sshfs"):
        print(f"no router on sshfs: {why}")
        return kinds
    return {**kinds, "sshfs, names in directories": _on_sshfs}


def _plain(*options: str) -> Callable[[Path], object]:
    @contextmanager
    def start(directory: Path) -> Iterator[int]:
        where = common.make_mailboxes(directory, f"mailboxes{''.join(options)}")
        where.make(_AGENTS)
        with common.router(where, *options) as process:
            yield process.pid

    return start


@contextmanager
def _on_sshfs(directory: Path) -> Iterator[int]:
    base = directory / "sshfs"
    base.mkdir()
    with Sshfs(base) as ground:
        there = ground.hosts[1]
        there.bridge("init", *_AGENTS, "--mailboxes", str(there.mailboxes))
        yield there.router().process.pid


def _shares(before: tuple[float, float], after: tuple[float, float], seconds: float) -> list[str]:
    ticks, exact = ((b - a) / seconds for a, b in zip(before, after, strict=True))
    return [f"{100 * ticks:.2f} %", f"{100 * exact:.3f} %"]


if __name__ == "__main__":
    main()
