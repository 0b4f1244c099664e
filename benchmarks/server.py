"""The MCP server's start and calls over raw pipes, beside those of a bare server on the same SDK."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import common
import pipe_client
from common import ms, percentiles

from ai_bridge import settings
from ai_bridge.fetch import wait
from ai_bridge.mailboxes import Mailboxes
from ai_bridge.send import Draft, send

_WARM_UP = 50
_PAUSE_S = 0.005


def main() -> None:
    options = common.parser(__doc__)
    options.add_argument("--starts", type=int, default=15)
    options.add_argument("--calls", type=int, default=500)
    chosen = options.parse_args()
    with common.throw_away(chosen.dir) as directory:
        alone, routed = (common.make_mailboxes(directory, name) for name in ("alone", "routed"))
        starts = common.alternate(
            chosen.starts,
            partial(pipe_client.seconds_to_initialize, pipe_client.BARE_SERVER),
            partial(pipe_client.seconds_to_initialize, pipe_client.mcp(alone.path)),
        )
        calls = _calls(alone, routed, chosen.calls)
    _report_starts(*starts)
    _report_calls(calls)


# --- calls ----------------------------------------------------------------------------------------------


def _calls(alone: Mailboxes, routed: Mailboxes, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each kind of call, made in turn by clients that are all connected at once."""
    with ExitStack() as stack:
        stack.enter_context(common.router(routed))
        bare = stack.enter_context(pipe_client.connected(pipe_client.BARE_SERVER))
        without = stack.enter_context(pipe_client.connected(pipe_client.mcp(alone.path)))
        with_router = stack.enter_context(pipe_client.connected(pipe_client.mcp(routed.path)))
        kinds = {
            "bare server, empty call": partial(_timed, partial(bare.call, "nothing")),
            "peer_read, nothing unread, no router": partial(_timed, partial(without.call, "peer_read")),
            "peer_read, nothing unread, router at work": partial(_timed, partial(with_router.call, "peer_read")),
            "peer_read of one message, no router": partial(_read_one, alone, without),
            "peer_read of one message, router at work": partial(_read_one, routed, with_router),
            "the next peer_read at once, router at work": partial(_read_again, routed, with_router),
        }
        common.alternate(_WARM_UP, *kinds.values())
        return dict(zip(kinds, common.alternate(rounds, *kinds.values()), strict=True))


def _timed(call: Callable[[], object]) -> float:
    """Return the seconds of a call, made after a pause in which the call before has settled."""
    time.sleep(_PAUSE_S)
    return common.seconds(call)


def _read_one(where: Mailboxes, client: pipe_client.PipeClient) -> float:
    """Return the seconds of a read that shows the one message delivered before."""
    _deliver_one(where)
    return common.seconds(partial(_read_shown, client))


def _read_again(where: Mailboxes, client: pipe_client.PipeClient) -> float:
    """Return the seconds of the read that follows one with a message without any pause."""
    _deliver_one(where)
    _read_shown(client)
    return common.seconds(partial(client.call, "peer_read"))


def _read_shown(client: pipe_client.PipeClient) -> None:
    if "1 message for" not in (line := client.call("peer_read")):
        raise SystemExit(f"error: the message was not shown: {line}")


def _deliver_one(where: Mailboxes) -> None:
    time.sleep(_PAUSE_S)  # in which what was shown before is acknowledged
    send(where, common.SENDER, Draft([common.READER], common.BODY), common.LIMIT)
    if len(waiting := wait(where, common.READER, settings.load(where.path), timeout_s=5)) != 1:
        raise SystemExit(f"error: {len(waiting)} messages are unread, not one")
    time.sleep(_PAUSE_S)


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
