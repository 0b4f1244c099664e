"""The time until mail reaches an idle Claude Code, and the cost of asking in vain: calls, processes, requests."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import common
import pipe_client
from common import ms, percentile, percentiles

sys.path.insert(0, str(common.ROOT))

import heard

from tests.real_clients import software
from tests.real_clients.ground import Ground
from tests.real_clients.model import Model
from tests.real_clients.notices import tells
from tests.real_clients.sessions import Claude

_TARGET_S = 0.3
# Between two drops: the session is idle again.
_REST_S = 1.0


def main() -> None:
    options = common.parser(__doc__)
    options.add_argument("--drops", type=int, default=50, help="drops to the idle session")
    options.add_argument("--idle", type=float, default=30.0, metavar="S", help="how long it is left without mail")
    options.add_argument("--rounds", type=int, default=100, help="hooks of each kind")
    options.add_argument("--heard", action="store_true", help="how much is heard if rings vanish, and nothing else")
    options.add_argument("--client", action="append", choices=heard.CLIENTS, help="of --heard (default: all)")
    options.add_argument("--messages", type=int, default=200, help="of --heard, to each client")
    options.add_argument("--vanish", type=float, default=0.3, help="of --heard: the share of the rings that vanish")
    options.add_argument("--kills", type=int, default=5, help="of --heard: how often the session is killed")
    chosen = options.parse_args()
    if chosen.heard:
        return heard.report(chosen.client or list(heard.CLIENTS), chosen.messages, chosen.vanish, chosen.kills)
    with common.throw_away(chosen.dir) as directory:
        _report_hooks(*_hooks(directory, chosen.rounds))
    # Nothing above it registers servers, as this checkout does.
    with tempfile.TemporaryDirectory() as apart:
        os.environ["HOME"] = str(Path(apart, "home"))
        _report_wakes(*_wakes(Path(apart), chosen.drops, chosen.idle), chosen.idle)


# --- an idle session ------------------------------------------------------------------------------------


def _wakes(directory: Path, drops: int, idle_s: float) -> tuple[list[float], int]:
    """Return the seconds from the call of send to the model's request, and the requests while no mail came."""
    try:
        commands = software.install(software.folder())
    except software.NotInstalled as trouble:
        raise SystemExit(f"error: the real clients could not be installed: {trouble}") from None
    with Model() as model:
        ground = Ground(directory, commands, model)
        try:
            client = Claude(ground)
            client.install()
            client.begin().say("begin")
            before = model.wait_until_quiet(_REST_S)
            time.sleep(idle_s)
            asked = len(model.requests) - before
            return [_wake(ground, model) for _ in range(drops)], asked
        finally:
            ground.end()


def _wake(ground: Ground, model: Model) -> float:
    """Drop one message for the idle session; returns the seconds until its model was asked."""
    before, dropped = model.wait_until_quiet(_REST_S), time.time()
    ground.drop("claude", common.BODY)
    return model.wait_for(tells, before).at - dropped


def _report_wakes(wakes: list[float], asked: int, idle_s: float) -> None:
    met = "met" if percentile(wakes, 50) <= _TARGET_S else "missed"
    rows = [["drop to the request of an idle Claude Code", *percentiles(wakes), f"p50 {ms(_TARGET_S)}, {met}"]]
    headings = ["what", "p50 ms", "p90 ms", "p99 ms", "target"]
    common.print_table(f"reach: {len(wakes)} drops", headings, rows)
    rows = [["requests of the idle session without mail", str(asked), f"{idle_s:g}", "0"]]
    common.print_table("reach: what idleness costs", ["what", "requests", "in s", "target"], rows)


# --- hooks when there is no mail ------------------------------------------------------------------------


def _hooks(directory: Path, rounds: int) -> list[list[float]]:
    """Return the seconds of an empty call, of a hook's call, of a bare interpreter, and of a hook's process."""
    where = common.make_mailboxes(directory, "hooks")
    asked = directory / "asked"
    asked.write_text('{"hook_event_name": "AfterTool", "session_id": "one"}')
    hook = [common.PROGRAM, "hook", "gemini", "--mailboxes", where.path, "--agent", common.READER]
    with (
        pipe_client.connected(pipe_client.BARE_SERVER) as bare,
        pipe_client.connected(pipe_client.mcp(where.path)) as server,
    ):
        return common.alternate(
            rounds,
            lambda: common.seconds(partial(bare.call, "nothing")),
            lambda: common.seconds(partial(_check, server)),
            lambda: common.whole_process([sys.executable, "-c", "import sys; sys.stdin.read()"], asked),
            lambda: common.whole_process(hook, asked),
        )


def _check(server: pipe_client.PipeClient) -> None:
    if '"{}"' not in (line := server.call("check_mail", event="Stop")):
        raise SystemExit(f"error: there is no mail, but the hook was told: {line}")


def _report_hooks(bare: list[float], check: list[float], python: list[float], hook: list[float]) -> None:
    ratio = common.median(hook) / common.median(python)
    rows = [
        ["bare server, empty call", *percentiles(bare), ""],
        ["check_mail", *percentiles(check), ""],
        ["a bare interpreter, whole process", *percentiles(python), ""],
        ["ai-bridge hook gemini, whole process", *percentiles(hook), f"{ratio:.2f} x bare"],
    ]
    headings = ["a hook, no mail", "p50 ms", "p90 ms", "p99 ms", ""]
    common.print_table(f"reach: {len(hook)} of each", headings, rows)


if __name__ == "__main__":
    main()
