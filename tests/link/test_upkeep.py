"""What the server lost before another team took it is sent again; a team that is merely offline raises no alarm."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nats_server import NatsServer
from tests.support.team import Team, make_streams
from tests.support.wait import until

pytest.importorskip("nats")


@pytest.fixture
def pair(tmp_path: Path, nats_server: NatsServer) -> Iterator[tuple[Team, Team]]:
    """North, which looks at everything often and runs, and south, which has been heard of and is offline."""
    make_streams(nats_server.url, "north", "south")
    north, south = Team(tmp_path, "north", ["claude"]), Team(tmp_path, "south", ["codex"])
    north.sweep_every(0.1)
    for team in (north, south):
        team.link(nats_server.url)
        team.start()
    until(lambda: "codex@south" in north.where.agents() and "claude@north" in south.where.agents())
    assert south.stop() == 0
    yield north, south
    for team in (north, south):
        team.kill()


def reason(team: Team, id_: str) -> str:
    (one,) = team.json("status", id_)
    assert one["state"] == "unread"
    return str(one["reason"])


def until_waiting(team: Team, count: int) -> None:
    """Wait until the link has looked after so many messages that no team has taken."""
    until(lambda: team.json("link")[0]["sent"] == count)


def purge(server: NatsServer) -> None:
    """Remove all mail from the stream, as its administrator can."""
    import nats

    async def do() -> None:
        client = await nats.connect(server.url)
        await client.jetstream().purge_stream("AIBRIDGE_MAIL")
        await client.close()

    asyncio.run(do())


def test_a_team_that_is_offline_loses_nothing_and_raises_no_alarm(pair: tuple[Team, Team]) -> None:
    north, south = pair
    sent = []
    for number in range(4):  # each is seen to wait by another look
        sent.append(north.send("claude", "codex@south", str(number)))
        until_waiting(north, number + 1)
    assert reason(north, sent[0]) == "the server has it, and the team south has not taken it"
    assert north.json("link")[0]["notes"] == []
    assert "lost" not in north.run("health", check=False).stdout
    south.start()
    until(lambda: reason(north, sent[3]) == "the team south has it, and codex@south has not read it")
    assert [one["id"] for one in south.json("read", "--agent", "codex")] == sent
    until(lambda: [north.state_of(id_) for id_ in sent] == ["read"] * 4)
    assert "sent again" not in north.log.read_text()


def test_what_was_purged_from_the_stream_is_sent_again_and_said_to_be(
    pair: tuple[Team, Team], nats_server: NatsServer
) -> None:
    north, south = pair
    sent = north.send("claude", "codex@south", "please")
    until_waiting(north, 1)
    purge(nats_server)
    until(lambda: "the server had lost it before the team south took it: it was sent again" in reason(north, sent))
    until(lambda: "the server had lost 1 messages that no team has" in north.run("health", check=False).stdout)
    south.start()
    until(lambda: [one["id"] for one in south.json("read", "--agent", "codex")] == [sent])
    until(lambda: north.state_of(sent) == "read")
    until(lambda: "lost" not in north.run("health", check=False).stdout)


def test_mail_survives_a_server_whose_store_is_lost(pair: tuple[Team, Team], nats_server: NatsServer) -> None:
    north, south = pair
    sent = [north.send("claude", "codex@south", str(number)) for number in range(3)]
    until_waiting(north, 3)
    nats_server.kill()
    shutil.rmtree(nats_server.directory / "store")
    nats_server.start()
    until(lambda: "runs `ai-bridge link URL --make-streams north`" in str(north.json("link")[0]["trouble"]))
    make_streams(nats_server.url, "north", "south")
    until(lambda: "sent again" in reason(north, sent[2]))
    south.start()
    got: list[object] = []
    until(lambda: got.extend(one["id"] for one in south.json("read", "--agent", "codex")) or len(got) >= 3)
    assert got == sent
    until(lambda: [north.state_of(id_) for id_ in sent] == ["read"] * 3)


def test_what_was_sent_again_and_arrives_twice_is_there_once(
    pair: tuple[Team, Team], nats_server: NatsServer
) -> None:
    north, south = pair
    sent = north.send("claude", "codex@south", "once")
    until_waiting(north, 1)
    south.start()
    until(lambda: "has not read it" in reason(north, sent))
    south.kill()
    north.kill()
    for path in Path(north.state).rglob("links/north.arrived"):
        path.unlink()  # what has arrived is forgotten
    north.start()
    until(lambda: "sent again" in reason(north, sent))
    south.start()
    until(lambda: reason(north, sent) == "the team south has it, and codex@south has not read it")
    assert [one["body"] for one in south.json("read", "--agent", "codex")] == ["once"]
    until(lambda: north.state_of(sent) == "read")


def test_making_the_streams_again_changes_nothing_and_a_team_is_added_by_the_same_command(
    pair: tuple[Team, Team], nats_server: NatsServer, tmp_path: Path
) -> None:
    north, south = pair
    sent = north.send("claude", "codex@south", "it waits")
    until_waiting(north, 1)
    west = Team(tmp_path, "west", ["cline"])
    refused = west.run("link", nats_server.url, "--as", "west", check=False)
    assert refused.returncode == 1
    assert "its administrator runs `ai-bridge link URL --make-streams west`" in refused.stderr
    assert west.json("link") == []
    make_streams(nats_server.url, "north", "south", "west")
    make_streams(nats_server.url, "west")
    west.link(nats_server.url)
    west.start()
    until(west.is_connected)
    south.start()
    until(lambda: [one["id"] for one in south.json("read", "--agent", "codex")] == [sent])
    west.kill()


def test_what_is_lost_and_cannot_be_sent_again_is_said_to_be(
    pair: tuple[Team, Team], nats_server: NatsServer
) -> None:
    north, _ = pair
    sent = north.send("claude", "codex@south", "please")
    until_waiting(north, 1)
    Path(north.where.outbox("claude").file("unread", f"{sent}.codex@south.txt")).write_text("damaged")
    purge(nats_server)
    until(lambda: "took it: it cannot be sent again: " in reason(north, sent))


def test_streams_of_an_older_version_are_made_ready_and_what_is_in_them_is_sent_again(
    pair: tuple[Team, Team], nats_server: NatsServer
) -> None:
    import nats
    from nats.js import api

    north, south = pair
    sent = north.send("claude", "codex@south", "please")
    until_waiting(north, 1)

    async def make_old() -> None:
        client = await nats.connect(nats_server.url)
        stream = client.jetstream()
        (waiting,) = [await stream.get_msg("AIBRIDGE_MAIL", 1)]
        for name, subjects in (("MAIL", ["aibridge.mail.>"]), ("CARDS", ["aibridge.card.>", "aibridge.team.*"])):
            await stream.delete_stream(f"AIBRIDGE_{name}")
            config = api.StreamConfig(name=f"AIBRIDGE_{name}", subjects=subjects, storage=api.StorageType.FILE)
            work = api.RetentionPolicy.WORK_QUEUE if name == "MAIL" else api.RetentionPolicy.LIMITS
            await stream.add_stream(config.evolve(retention=work, max_msgs_per_subject=-1 if name == "MAIL" else 1))
        await stream.publish("aibridge.mail.south.north.codex", waiting.data)
        await client.close()

    asyncio.run(make_old())
    north.kill()
    assert make_streams(nats_server.url, "north", "south").stderr == ""
    north.start()
    until(lambda: "it was sent again" in reason(north, sent))
    south.start()
    until(lambda: [one["id"] for one in south.json("read", "--agent", "codex")] == [sent])
    until(lambda: north.state_of(sent) == "read")
