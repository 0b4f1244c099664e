"""Start and stop routers, and find those that run: by their locks alone, never by a pid file."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.at_work import router_of
from ai_bridge.router.served import ALL, refusal
from ai_bridge.system import durable, state_files
from ai_bridge.system.directories import state_base
from ai_bridge.system.locks import Holder
from ai_bridge.system.processes import MODULE, called_as
from ai_bridge.system.untrusted import listed, read_file

_START_S = 20.0
_STOP_S = 20.0
_LOOK_S = 0.01


class RouterFailed(BridgeError):
    sentence = "the router did not start: {why}; see {log}"


class WouldNotStart(BridgeError):
    sentence = "nothing was stopped, because a new router would not start: {why}"


class RouterServesAll(BridgeError):
    sentence = "{agent} is served by the router of all agents ({holder}): `{stop}` stops that"


class RouterStays(BridgeError):
    sentence = (
        "the router ({holder}) did not end within {seconds} s: it may be finishing a slow disk operation; try again"
    )


class RunningRouter:
    """A router process and the `agents` whose locks it holds."""

    __slots__ = ("agents", "holder")

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        self.agents: list[str] = []


def running(mailboxes: Tree, only: str | None = None) -> list[RunningRouter]:
    """Return the routers at work: all of them, or only the one that serves the agent `only`."""
    found: dict[int, RunningRouter] = {}
    for agent in [only] if only else mailboxes.agents():
        if (holder := router_of(mailboxes, agent)) is not None:
            found.setdefault(holder.pid, RunningRouter(holder)).agents.append(agent)
    return list(found.values())


def log_file(mailboxes: Tree, only: str | None) -> str:
    """Return the path of the log of the router of one agent, or of the router of all agents."""
    return mailboxes.state_file("logs", f"router-{only}.log" if only else "router.log")


def serving_log(mailboxes: Tree, agent: str) -> str:
    """Return the path of the log with an agent's mail: that of the router at work for it, else the newer one."""
    own, of_all = log_file(mailboxes, agent), log_file(mailboxes, None)
    if (at_work := router_of(mailboxes, agent)) is not None:
        return of_all if at_work.serves == ALL else own
    return max(own, of_all, key=state_files.written_s)


def start(mailboxes: Tree, only: str | None = None, options: tuple[str, ...] = ()) -> Holder:
    """Start a router in the background, and return its lock's holder once it has recovered and serves.

    `only` is the one agent to serve, None stands for all; `options` are further arguments of `ai-bridge router`.
    Raises `RouterRunning` if a router already serves these agents, and `RouterFailed` with its last words if it
    does not start within 20 seconds.
    """
    _refuse_second(mailboxes, only)
    log = log_file(mailboxes, only)
    durable.make_directory(os.path.dirname(log))
    _make_private(log)
    process = _spawn(mailboxes, only, options, log, f"{log}.stderr")
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        for router in running(mailboxes, only):
            if router.holder.pid == process.pid and router.holder.ready:
                return router.holder
        time.sleep(_LOOK_S)
    raise RouterFailed(why=_last_words(process, log), log=log)


def _refuse_second(mailboxes: Tree, only: str | None) -> None:
    served = {agent: router.holder for router in running(mailboxes, only) for agent in router.agents}
    if served and set(served) >= set([only] if only else mailboxes.agents()):
        raise refusal(served)


def check(mailboxes: Tree, only: str | None = None, options: tuple[str, ...] = ()) -> None:
    """Raise `WouldNotStart` if a router that is started now would not serve; other routers at work do not count.

    The arguments are those of `start`. Starts the program in the way `start` does, for an instant.
    """
    log = log_file(mailboxes, only)
    durable.make_directory(os.path.dirname(log))
    errors = f"{log}.trial"
    try:
        process = _spawn(mailboxes, only, (*options, "--check"), log, errors)
        try:
            process.wait(_START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.returncode:
            raise WouldNotStart(why=_said(process, errors))
    finally:
        durable.remove(errors)


def restart(mailboxes: Tree, only: str | None = None, options: tuple[str, ...] = ()) -> Holder:
    """Stop the routers and start one, but stop none unless the new one can start; returns and raises as `start`.

    Raises `WouldNotStart`, and what `stop` raises.
    """
    check(mailboxes, only, options)
    stop(mailboxes, only)
    return start(mailboxes, only, options)


def _spawn(
    mailboxes: Tree, only: str | None, options: tuple[str, ...], log: str, errors: str
) -> "subprocess.Popen[bytes]":
    """Start a router's process; its standard error goes to the file `errors`, which is emptied first."""
    scope = ["--agent", only] if only else []
    command = [sys.executable, *MODULE, "router", "--mailboxes", mailboxes.path, "--log", log]
    environment = {key: value for key, value in os.environ.items() if key != "AI_BRIDGE_AGENT"}
    environment["AI_BRIDGE_STATE"] = state_base()  # the router has another working directory
    with os.fdopen(durable.open_own(errors), "wb") as file:
        file.truncate()
        return subprocess.Popen(
            [*command, *scope, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
            cwd="/" if os.name == "posix" else None,
            env=environment,
            start_new_session=True,
        )


def _make_private(log: str) -> None:
    """Let only this user read the log, its rotated files, and the errors of the last start."""
    folder, name = os.path.split(log)
    for found in listed(folder):
        if found.startswith(name):
            with suppress(OSError):
                os.chmod(os.path.join(folder, found), 0o600)


def _last_words(process: "subprocess.Popen[bytes]", log: str) -> str:
    if process.poll() is None:
        process.terminate()
        process.wait()
        return f"it was not ready within {_START_S:.0f} s"
    return _said(process, f"{log}.stderr")


def _said(process: "subprocess.Popen[bytes]", errors: str) -> str:
    """Return the last line that an ended process wrote to its file of errors, else its exit code."""
    said = read_file(errors, 1 << 20).decode("utf-8", "replace").strip().splitlines()
    return said[-1].removeprefix("error: ") if said else f"it ended with exit code {process.returncode}"


def stop(mailboxes: Tree, only: str | None = None) -> list[RunningRouter]:
    """Stop all routers, or the router of the agent `only`, and wait for their end; returns those that ran.

    Each router finishes the message in hand. Raises `RouterServesAll` if the router of all agents serves `only`,
    and `RouterStays` if a router does not end within 20 seconds.
    """
    found = running(mailboxes, only)
    for router in found:
        if only and router.holder.serves == ALL:
            raise RouterServesAll(agent=only, holder=str(router.holder), stop=f"{called_as()} stop")
    for router in found:
        _terminate(mailboxes, router)
    return found


def _terminate(mailboxes: Tree, router: RunningRouter) -> None:
    """End the process that holds the lock; never signals another process that has its pid by now."""
    pid = router.holder.pid

    def still_there() -> bool:
        return any((now := router_of(mailboxes, agent)) is not None and now.pid == pid for agent in router.agents)

    _signal(pid, still_there)
    deadline = time.monotonic() + _STOP_S
    while still_there():
        if time.monotonic() > deadline:
            raise RouterStays(holder=str(router.holder), seconds=int(_STOP_S))
        time.sleep(_LOOK_S)


def _signal(pid: int, still_there: Callable[[], bool]) -> None:
    if not hasattr(os, "pidfd_open"):
        if still_there():
            os.kill(pid, signal.SIGTERM)
        return
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if still_there():  # asked with the descriptor open: it stands for that very process
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
    except ProcessLookupError:
        return
    finally:
        os.close(descriptor)
