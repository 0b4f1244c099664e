"""Mail between two teams over a real NATS server: there and back, receipts, cards, outages, refusals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ai_bridge.mailboxes.compose import Draft
from tests.support.mail import LIMIT, send_batch
from tests.support.nats_server import NatsServer
from tests.support.team import Team
from tests.support.wait import until


def send_many(team: Team, count: int) -> None:
    """Send messages whose bodies are numbers from claude to codex@south."""
    send_batch(team.where, "claude", [Draft(["codex@south"], str(number)) for number in range(count)], LIMIT)


def until_read(team: Team, agent: str, count: int = 1) -> list[dict[str, object]]:
    """Return what the agent reads, once there are so many messages."""
    found: list[dict[str, object]] = []
    until(lambda: found.extend(team.json("read", "--agent", agent)) or len(found) >= count)
    return found


def test_a_message_and_its_answer_cross_and_its_sender_learns_that_it_was_read(teams: tuple[Team, Team]) -> None:
    north, south = teams
    body = "Is it done?\r\n\n  $(no) --- \x00 end"
    sent = north.send("claude", "codex@south", body)
    (got,) = until_read(south, "codex")
    assert (got["id"], got["from"], got["to"], got["body"]) == (sent, "claude@north", "codex", body)
    until(lambda: north.state_of(sent) == "read")
    answer = south.send("codex", "claude@north", "Yes.", "--reply-to", sent)
    (back,) = until_read(north, "claude")
    assert (back["id"], back["from"], back["in_reply_to"], back["thread"]) == (answer, "codex@south", sent, sent)
    until(lambda: south.state_of(answer) == "read")


def test_an_agent_with_a_project_crosses_under_one_name_and_gets_its_own_address_back(
    teams: tuple[Team, Team],
) -> None:
    north, south = teams
    until(lambda: "mini-web@south" in north.where.agents())
    sent = north.send("gemini", "mini-web@south", "hello")
    (got,) = until_read(south, "mini@web")
    assert (got["id"], got["to"]) == (sent, "mini@web")
    answer = south.send("mini@web", "gemini@north", "hello back")
    (back,) = until_read(north, "gemini")
    assert (back["id"], back["from"]) == (answer, "mini-web@south")


def test_many_messages_cross_once_each_and_in_their_order(teams: tuple[Team, Team]) -> None:
    north, south = teams
    send_many(north, 300)
    got = until_read(south, "codex", 300)
    assert [one["body"] for one in got] == [str(number) for number in range(300)]
    until(lambda: len(os.listdir(north.where.outbox("claude").directory("read"))) == 300)


def test_mail_to_nobody_comes_back_with_its_reason_and_a_notice(teams: tuple[Team, Team]) -> None:
    north, south = teams
    south.where.make(["leaving"])
    until(lambda: "leaving@south" in north.where.agents())
    south.kill()  # it cannot say any more that this agent is gone
    outbox = south.where.outbox("leaving")
    for directory in (".tmp", ".processing", ".unread", ".read", ".held", ".malformed", ""):
        os.rmdir(os.path.join(outbox.path, directory))
    sent = north.send("claude", "leaving@south", "are you there?")
    until(lambda: north.state_of(sent) == "unread")
    south.start()
    until(lambda: north.state_of(sent) == "malformed")
    (told,) = north.json("status", sent)
    assert str(told["reason"]).startswith(
        "the team south returned it: To cannot be served: there is no agent leaving"
    )
    (notice,) = until_read(north, "claude")
    assert notice["from"] == "postmaster"
    assert south.json("read", "--agent", "codex") == []
    until(lambda: "leaving@south" not in [peer["address"] for peer in north.json("peers")])


def test_what_came_back_can_be_sent_again(teams: tuple[Team, Team]) -> None:
    north, south = teams
    south.run("card", "set", "refuse=*", "codex")
    sent = north.send("claude", "codex@south", "now?")
    until(lambda: north.state_of(sent) == "malformed")
    south.run("card", "set", "refuse=", "codex")
    north.run("restore", sent)
    (got,) = until_read(south, "codex")
    assert got["id"] == sent
    until(lambda: north.state_of(sent) == "read")


def test_everybody_is_everybody_of_ones_own_team(teams: tuple[Team, Team]) -> None:
    north, _ = teams
    (sent,) = north.json("send", "*", "--from", "claude", "--allow-empty")
    assert sent["to"] == ["gemini"]


def test_a_server_that_is_killed_loses_nothing_and_doubles_nothing(
    teams: tuple[Team, Team], nats_server: NatsServer
) -> None:
    north, south = teams
    first = north.send("claude", "codex@south", "before")
    until(lambda: north.state_of(first) == "unread")
    nats_server.kill()
    until(lambda: not north.is_connected())
    second = north.send("claude", "codex@south", "during")
    assert north.state_of(second) == "dropped"
    assert [one["to_send"] for one in north.json("link")] == [1]
    nats_server.start()
    got = until_read(south, "codex", 2)
    assert [one["id"] for one in got] == [first, second]
    until(lambda: north.state_of(second) == "read")


def test_routers_that_are_killed_lose_nothing_and_double_nothing(teams: tuple[Team, Team]) -> None:
    north, south = teams
    send_many(north, 200)
    for team in (north, south):
        team.kill()
        team.start()
    got = until_read(south, "codex", 200)
    assert [one["body"] for one in got] == [str(number) for number in range(200)]
    until(lambda: len(os.listdir(north.where.outbox("claude").directory("read"))) == 200, 40)


def test_the_router_ends_with_its_link_and_health_tells_how_it_stands(teams: tuple[Team, Team]) -> None:
    north, _ = teams
    until(north.is_connected)
    assert "link north" in north.run("health", check=False).stdout
    assert north.stop() == 0
    assert not north.is_connected()
    assert "not connected" in north.run("health", check=False).stdout


def test_a_link_that_is_removed_takes_its_agents_along(teams: tuple[Team, Team]) -> None:
    north, south = teams
    north.run("link", "--remove")
    assert north.json("link") == []
    until(lambda: north.where.agents() == ["claude", "gemini"])
    until(lambda: south.where.agents() == ["codex", "mini@web"])


def test_two_mailboxes_cannot_be_the_same_team(
    teams: tuple[Team, Team], nats_server: NatsServer, tmp_path: Path
) -> None:
    third = Team(tmp_path / "third", "south", ["other"])
    refused = third.run("link", nats_server.url, "--as", "south", check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: the team south is that of other mailboxes: choose another name")


def test_without_a_link_the_client_of_the_server_is_not_imported(tmp_path: Path) -> None:
    team = Team(tmp_path, "north", ["claude", "gemini"])
    script = (
        "import sys\n"
        "from ai_bridge import settings\n"
        "from ai_bridge.link.keeper import Keeper\n"
        "from ai_bridge.mailboxes.tree import Tree\n"
        "where = Tree(sys.argv[1])\n"
        "Keeper(where, settings.load(where.path)).tend()\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('nats', 'asyncio')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, team.where.path],
        capture_output=True,
        text=True,
        env=team.environment,
        check=True,
    )
    assert done.stdout == "[]\n"
