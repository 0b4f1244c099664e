"""Syncthing's API is found from its settings; whatever else answers there gives an error with a sentence."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ai_bridge.machines.syncthing import setup, status
from ai_bridge.machines.syncthing.api import Api, NoSyncthing, SyncthingRefused, found
from ai_bridge.mailboxes.tree import Tree
from tests.support.command import command
from tests.support.syncthing import set_up

ANSWERS = {
    "refused": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nCSRF Err\n",
    "broken": b"HTTP/1.1 500 x\r\n\r\n",
    "another server": b"SSH-2.0-OpenSSH_9\r\n",
    "nothing": b"",
    "cut short": b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{",
    "no JSON": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<html",
    "no number": b"HTTP/1.1 abc OK\r\n\r\n",
}
SHAPES = {
    "null": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull",
    "a list": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]",
    "a text": b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"x"',
    "a mapping": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "empty": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
}
Answering = Callable[[bytes], str]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Serve one and the same answer to all; returns where."""
    sockets: list[socket.socket] = []
    asked: list[bytes] = []

    def serve(listening: socket.socket, answer: bytes) -> None:
        try:
            while True:
                connection, _ = listening.accept()
                with connection:
                    asked.append(connection.recv(65536))
                    connection.sendall(answer)
        except OSError:
            return

    def begin(answer: bytes) -> str:
        listening = socket.create_server(("127.0.0.1", 0))
        sockets.append(listening)
        threading.Thread(target=serve, args=(listening, answer), daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    begin.asked = asked  # type: ignore[attr-defined]
    yield begin
    for one in sockets:
        one.shutdown(socket.SHUT_RDWR)
        one.close()


@pytest.mark.parametrize("answer", ANSWERS)
def test_whatever_answers_instead_is_an_error_with_a_sentence(answering: Answering, answer: str) -> None:
    url = answering(ANSWERS[answer])
    with pytest.raises(SyncthingRefused, match=f"Syncthing at {url} did not do it: "):
        Api(url, "key", 5).get("/rest/system/status")


def test_where_nobody_listens_it_is_asked_whether_it_runs() -> None:
    with pytest.raises(SyncthingRefused, match="is it running"):
        Api("http://127.0.0.1:1", "key", 5).get("/x")


@pytest.mark.parametrize("answer", [*ANSWERS, *SHAPES])
def test_a_link_that_cannot_be_asked_is_a_trouble_and_no_fault(
    where: Tree, answering: Answering, answer: str
) -> None:
    set_up(where, answering((ANSWERS | SHAPES)[answer]))
    found_ = status.status_of(where)
    assert found_ is not None
    assert len(found_.troubles) == 1
    assert found_.troubles[0].endswith("run `ai-bridge sync setup` again")
    assert not status.is_all_out(where, 0.3)


def test_the_command_says_so_and_its_exit_code_too(where: Tree, answering: Answering) -> None:
    set_up(where, answering(ANSWERS["refused"]))
    done = command("sync", "--mailboxes", where.path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "403 CSRF Err" in done.stdout
    assert command("peers", "--mailboxes", where.path).returncode == 0
    assert command("status", "--mailboxes", where.path).returncode == 0


def test_the_key_goes_to_no_proxy(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, answering(SHAPES["a mapping"]))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SyncthingRefused):
        Api("http://127.0.0.1:1", "secret", 5).get("/x")
    assert answering.asked == []  # type: ignore[attr-defined]


# --- where it is ------------------------------------------------------------------------------------------

_GUI = '<gui enabled="true" tls="{tls}"><address>{address}</address><apikey>k1</apikey></gui>'
CONFIG = f"<configuration>{_GUI}</configuration>"


@pytest.mark.parametrize(
    ("address", "tls", "url"),
    [
        ("127.0.0.1:8384", "false", "http://127.0.0.1:8384"),
        ("0.0.0.0:8384", "true", "https://127.0.0.1:8384"),
        ("[::]:9000", "false", "http://127.0.0.1:9000"),
        (":9000", "false", "http://127.0.0.1:9000"),
        ("[::1]:9000", "false", "http://[::1]:9000"),
        ("localhost:8384", "false", "http://localhost:8384"),
    ],
)
def test_it_is_asked_where_its_settings_say(tmp_path: Path, address: str, tls: str, url: str) -> None:
    (tmp_path / "config.xml").write_text(CONFIG.format(address=address, tls=tls))
    api = found(str(tmp_path))
    assert (api.url, api.key) == (url, "k1")


@pytest.mark.parametrize("variable", ["STHOMEDIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME"])
def test_its_settings_are_found_where_it_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("STHOMEDIR", raising=False)
    with pytest.raises(NoSyncthing, match=r"there is no .*config.xml nor "):
        found(None)
    folder = tmp_path / "there" / ("" if variable == "STHOMEDIR" else "syncthing")
    folder.mkdir(parents=True)
    (folder / "config.xml").write_text(CONFIG.format(address="127.0.0.1:1", tls="false"))
    monkeypatch.setenv(variable, str(tmp_path / "there"))
    assert found(None).key == "k1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<configuration/>",
        "<configuration><gui/></configuration>",
        "<configuration><gui><address>x</address></gui></configuration>",
        "{}",
        "\0",
    ],
)
def test_settings_that_say_nothing_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.xml").write_text(text)
    with pytest.raises(NoSyncthing, match="no Syncthing is set up on this machine: "):
        found(str(tmp_path))


def test_without_a_set_up_there_is_no_link_to_wait_for(where: Tree) -> None:
    assert status.status_of(where) is None
    assert status.is_all_out(where, 0.0)
    done = command("sync", "--mailboxes", where.path)
    assert (done.returncode, "not set up" in done.stdout) == (0, True)


@pytest.mark.parametrize("device", ["", "x", "A" * 63, "-".join(["ABC-DEF"] * 4), "-".join(["ABCDEF!"] * 8), "../x"])
def test_what_is_no_device_is_refused_before_anything_is_asked(where: Tree, device: str) -> None:
    with pytest.raises(setup.BadDevice):
        list(setup.set_up(where, Api("http://127.0.0.1:1", "k", 1), [device], [], "f"))
