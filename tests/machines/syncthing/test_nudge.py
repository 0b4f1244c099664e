"""Nudge: it asks Syncthing to scan at once, and nothing depends on the answer."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import pytest

from ai_bridge.machines.syncthing import nudge
from ai_bridge.mailboxes import changes
from ai_bridge.mailboxes.outbox import PROCESSING
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from ai_bridge.system.directories import memory_of
from tests.support.command import command
from tests.support.loopback import Loopback
from tests.support.mail import post, route
from tests.support.syncthing import set_up
from tests.support.wait import until


class Server(Loopback):
    """A stand-in for Syncthing's API: keeps what it is asked for, and may be slow, or hang up."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, list[str]], str | None]] = []
        self.at_once = self.most_at_once = 0
        self.act: Callable[[], None] = lambda: None
        lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                with lock:
                    server.at_once += 1
                    server.most_at_once = max(server.most_at_once, server.at_once)
                found = urlsplit(self.path)
                asked = (self.command, found.path, parse_qs(found.query), self.headers.get("X-API-Key"))
                server.act()
                with lock:
                    server.asked.append(asked)
                    server.at_once -= 1
                try:
                    self.send_response(200)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    return

        super().__init__(Handler)

    @property
    def subs(self) -> list[str]:
        return [sub for _, _, words, _ in self.asked for sub in words.get("sub", [])]


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nudge, "_worker", None)
    monkeypatch.setattr(changes, "_listeners", [])
    nudge.attach()
    monkeypatch.setattr(nudge, "_changed", {})
    monkeypatch.setattr(nudge, "_places", {})


# --- what is asked for ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("prefix", "before"), [("", ""), ("notes/my mail", "notes/my mail/")])
def test_what_was_dropped_is_asked_for_by_its_name_in_the_folder(
    where: Tree, server: Server, prefix: str, before: str
) -> None:
    set_up(where, server.url, prefix)
    id_ = post(where)
    nudge.flush(answer=True)
    words = {"folder": ["f 1"], "sub": [f"{before}claude-outbox/{id_}.gemini.txt"]}
    assert server.asked == [("POST", "/rest/db/scan", words, "secret")]
    nudge.flush(answer=True)
    assert len(server.asked) == 1


def test_a_move_is_asked_for_at_both_its_ends(where: Tree, server: Server) -> None:
    set_up(where, server.url)
    name = f"{post(where)}.gemini.txt"
    nudge.flush(answer=True)
    server.asked.clear()
    assert where.outbox("claude").move("claim", name)
    nudge.flush(answer=True)
    assert server.subs == [f"claude-outbox/.processing/{name}", f"claude-outbox/{name}"]


@pytest.mark.parametrize("name", ["a b&c=d.txt", "ü?#%.txt", "+.txt"])
def test_every_name_is_asked_for_as_it_is(where: Tree, server: Server, name: str) -> None:
    set_up(where, server.url)
    nudge.add(where.path, where.outbox("claude").file(PROCESSING, name))
    nudge.flush(answer=True)
    assert server.subs == [f"claude-outbox/.processing/{name}"]


def test_of_many_changes_their_directories_are_asked_for(where: Tree, server: Server) -> None:
    set_up(where, server.url)
    for number in range(nudge._MOST):
        nudge.add(where.path, where.outbox("claude").file(PROCESSING, f"{number}.txt"))
    nudge.flush(answer=True)
    assert len(server.subs) == nudge._MOST
    for number in range(nudge._MOST + 1):
        nudge.add(where.path, where.outbox("claude").file(PROCESSING, f"{number}.txt"))
    nudge.flush(answer=True)
    assert server.subs[nudge._MOST :] == ["claude-outbox/.processing"]


def test_a_command_asks_before_it_ends(where: Tree, server: Server) -> None:
    set_up(where, server.url)
    done = command("send", "gemini", "--from", "claude", "--mailboxes", where.path, body="hello")
    until(lambda: server.subs == [f"claude-outbox/{done.stdout.strip()}.gemini.txt"])


def test_the_page_and_the_card_are_asked_for_too(where: Tree, server: Server) -> None:
    from ai_bridge.agents import cards

    set_up(where, server.url)
    cards.introduce(where, "claude")
    nudge.flush(answer=True)
    assert server.subs == ["agents/claude.md"]


# --- the thread -------------------------------------------------------------------------------------------


def test_from_the_thread_one_request_goes_out_at_a_time_and_none_is_forgotten(where: Tree, server: Server) -> None:
    set_up(where, server.url)
    server.act = lambda: time.sleep(0.02)
    nudge.begin()
    nudge.begin()
    names = [f"{number}.txt" for number in range(30)]
    for name in names:
        nudge.add(where.path, where.outbox("claude").file(PROCESSING, name))
        nudge.forget()
        time.sleep(0.002)
    until(lambda: {sub.rpartition("/")[2] for sub in server.subs} == set(names))
    assert server.most_at_once == 1
    assert len(server.asked) < len(names)


def test_the_thread_outlives_a_server_that_comes_late(where: Tree, server: Server) -> None:
    set_up(where, "http://127.0.0.1:1")
    nudge.begin()
    nudge.add(where.path, where.outbox("claude").file(PROCESSING, "lost.txt"))
    until(lambda: nudge._changed == {})
    set_up(where, server.url)
    nudge.forget()
    nudge.add(where.path, where.outbox("claude").file(PROCESSING, "told.txt"))
    until(lambda: server.subs == ["claude-outbox/.processing/told.txt"])


def test_many_threads_may_note_at_once(where: Tree, server: Server) -> None:
    set_up(where, server.url)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        nudge.begin()

        def note(start: int) -> None:
            for number in range(start, start + 300):
                nudge.add(where.path, where.outbox("claude").file(PROCESSING, f"{number}.txt"))

        threads = [threading.Thread(target=note, args=(start,)) for start in (0, 1000, 2000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    until(lambda: nudge._changed == {} and server.at_once == 0 and server.asked)
    assert any(thread.name == "nudge" for thread in threading.enumerate())


# --- where nobody answers ---------------------------------------------------------------------------------


def _refusing() -> tuple[str, Callable[[], None]]:
    return "http://127.0.0.1:1", lambda: None


def _silent() -> tuple[str, Callable[[], None]]:
    listening = socket.create_server(("127.0.0.1", 0))
    return f"http://127.0.0.1:{listening.getsockname()[1]}", listening.close


def _hanging_up() -> tuple[str, Callable[[], None]]:
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            while True:
                listening.accept()[0].close()
        except OSError:
            return

    threading.Thread(target=serve, daemon=True).start()

    def end() -> None:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()

    return f"http://127.0.0.1:{listening.getsockname()[1]}", end


@pytest.mark.parametrize("nobody", [_refusing, _silent, _hanging_up])
def test_a_server_that_does_not_answer_costs_a_command_next_to_nothing(
    where: Tree, nobody: Callable[[], tuple[str, Callable[[], None]]]
) -> None:
    url, end = nobody()
    try:
        set_up(where, url)
        post(where)
        started = time.monotonic()
        nudge.flush()
        assert time.monotonic() - started < 2 * nudge._PATIENCE_S
    finally:
        end()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "http://",
        "http://127.0.0.1:none",
        "http://127.0.0.1:99999",
        "ftp://127.0.0.1:1",
        "https://127.0.0.1:1",
    ],
)
def test_an_odd_place_is_no_hindrance(where: Tree, url: str) -> None:
    set_up(where, url)
    post(where)
    nudge.flush(answer=True)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"url": "x"}', "\xff", "x" * 20_000])
def test_a_damaged_set_up_is_none(where: Tree, text: str) -> None:
    path = set_up(where, "http://127.0.0.1:1")
    path.write_text(text, encoding="latin-1")
    assert nudge.place(where.path) is None
    post(where)
    nudge.flush()


def test_a_name_that_is_no_text_is_no_hindrance(where: Tree, server: Server) -> None:
    set_up(where, server.url)
    nudge.add(where.path, where.outbox("claude").file(PROCESSING, "\udcff.txt"))
    nudge.flush(answer=True)
    assert server.asked == []


# --- without a set-up -------------------------------------------------------------------------------------


def test_without_a_set_up_one_file_is_looked_for_and_no_connection_made(where: Tree) -> None:
    script = (
        "import sys\n"
        "seen = []\n"
        "sys.addaudithook(lambda event, args: seen.append((event, args[0]))"
        " if event in ('open', 'socket.connect', 'socket.__new__') else None)\n"
        "from ai_bridge.machines.syncthing import nudge\n"
        "seen.clear()\n"
        f"for number in range(5): nudge.add({where.path!r}, {where.path!r} + '/x')\n"
        "nudge.flush()\n"
        "print(len(seen), 'socket' in sys.modules, 'json' in sys.modules, 'threading' in sys.modules)\n"
        "print(seen[0][1])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["1 False False False", memory_of(nudge.FOLDER, where.path)]


def test_mail_flows_without_a_set_up(where: Tree, settings: Settings) -> None:
    post(where)
    assert [step.verb for step in route(where, settings)] == ["deliver"]
    assert nudge._changed == {}
