"""The MCP server's start and calls over raw pipes, beside those of a bare server on the same SDK."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import common
import pipe_client
from common import ms, percentiles
from pipe_client import PipeClient

from ai_bridge import settings
from ai_bridge.inbox.wait import wait_for_mail
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import unread_for

# Calls of one kind in a round, and rounds that do not count.
_SOME = 10
_WARM_UP = 5
_PAUSE_S = 0.005
_PATIENCE_S = 5.0


def main() -> None:
    options = common.parser(__doc__)
    options.add_argument("--starts", type=int, default=15)
    options.add_argument("--rounds", type=int, default=50, help="rounds of 10 calls of each kind")
    chosen = options.parse_args()
    with common.throw_away(chosen.dir) as directory:
        alone, routed = (common.make_mailboxes(directory, name) for name in ("alone", "routed"))
        starts = common.alternate(
            chosen.starts,
            partial(pipe_client.seconds_to_initialize, pipe_client.BARE_SERVER),
            partial(pipe_client.seconds_to_initialize, pipe_client.mcp(alone.path)),
        )
        calls = _calls(alone, routed, chosen.rounds)
    _report_starts(*starts)
    _report_calls(calls)


# --- calls ----------------------------------------------------------------------------------------------


def _calls(alone: Tree, routed: Tree, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each kind of call, made in turn by clients that are all connected at once."""
    with ExitStack() as stack:
        stack.enter_context(common.router(routed))
        bare = stack.enter_context(pipe_client.connected(pipe_client.BARE_SERVER))
        without = stack.enter_context(pipe_client.connected(pipe_client.mcp(alone.path)))
        with_router = stack.enter_context(pipe_client.connected(pipe_client.mcp(routed.path)))
        empty = {
            "bare server, empty call": partial(bare.call, "nothing"),
            "peer_read, nothing unread, no router": partial(without.call, "peer_read"),
            "peer_read, nothing unread, router at work": partial(with_router.call, "peer_read"),
        }
        kinds = {name: partial(_in_a_row, call) for name, call in empty.items()}
        kinds |= {f"{name}, after a pause": partial(_spaced, _nothing, call) for name, call in empty.items()}
        for name, where, client in (("no router", alone, without), ("router at work", routed, with_router)):
            deliver, read = partial(_deliver, where), partial(_read, client)
            kinds[f"peer_read of one message, {name}"] = partial(_spaced, deliver, read)
            kinds[f"peer_read straight after that, {name}"] = partial(_straight_after, deliver, read, client)
        return _in_turn(rounds, kinds)


def _in_turn(rounds: int, kinds: dict[str, Callable[[], list[float]]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(rounds + _WARM_UP):
        for name, action in kinds.items():
            times = action()
            found[name] += times if number >= _WARM_UP else []
    return found


def _in_a_row(call: Callable[[], object]) -> list[float]:
    """Return the seconds of some calls, each made as soon as the one before is answered."""
    return [common.seconds(call) for _ in range(_SOME)]


def _spaced(prepare: Callable[[], None], call: Callable[[], object]) -> list[float]:
    """Return the seconds of some calls, each made after a pause in which the one before has settled."""
    times = []
    for _ in range(_SOME):
        prepare()
        time.sleep(_PAUSE_S)
        times.append(common.seconds(call))
    time.sleep(_PAUSE_S)
    return times


def _straight_after(deliver: Callable[[], None], read: Callable[[], None], client: PipeClient) -> list[float]:
    """Return the seconds of some empty reads, each made as soon as one that showed a message is answered."""
    times = []
    for _ in range(_SOME):
        deliver()
        read()
        times.append(common.seconds(partial(client.call, "peer_read")))
    return times


def _nothing() -> None:
    pass


def _deliver(where: Tree) -> None:
    """Have one message unread, the one before being acknowledged."""
    deadline = time.monotonic() + _PATIENCE_S
    time.sleep(_PAUSE_S)
    while unread_for(where, common.READER) and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
    common.send(where)
    if len(waiting := wait_for_mail(where, common.READER, settings.load(where.path), timeout_s=5)) != 1:
        raise SystemExit(f"error: {len(waiting)} messages are unread, not one")


def _read(client: PipeClient) -> None:
    if "1 message for" not in (line := client.call("peer_read")):
        raise SystemExit(f"error: the message was not shown: {line}")


# --- report ---------------------------------------------------------------------------------------------


def _report_starts(bare: list[float], ours: list[float]) -> None:
    ratio = common.median([one / other for one, other in zip(ours, bare, strict=True)])
    rows = [
        ["bare server", ms(common.median(bare)), common.spread(bare), "1.00", ""],
        ["ai-bridge mcp", ms(common.median(ours)), common.spread(ours), f"{ratio:.2f}", "1.15"],
    ]
    headings = ["start to initialize's answer", "median ms", "p10-p90", "x bare", "target"]
    common.print_table(f"server: {len(bare)} starts", headings, rows)


def _report_calls(calls: dict[str, list[float]]) -> None:
    rows = [[name, *percentiles(values), ""] for name, values in calls.items()]
    rows[1][-1] = rows[2][-1] = "p50 1.00"
    count = len(next(iter(calls.values())))
    common.print_table(f"server: {count} calls of each", ["call", "p50 ms", "p90 ms", "p99 ms", "target"], rows)


if __name__ == "__main__":
    main()
