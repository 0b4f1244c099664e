"""A made-up client: its record, and the code of its own that the record names."""

from __future__ import annotations

from ai_bridge.clients.files import Checks, ConfigFile, Files, Folder, Plugin, Server, Switch
from ai_bridge.clients.record import Client, Hooks, Reach


def _files() -> Files:
    return Files(
        Folder(".parrot", variable="PARROT_HOME"),
        config=(
            ConfigFile(
                "settings.json",
                has_server=True,
                has_hooks=True,
                defaults={("perch", "wakes"): True},
                without="its perch does not wake it",
                members={("allowed",): "ai-bridge"},
            ),
        ),
        server=Server(extra={"loud": True}, told=("PARROT_HOME",)),
        checks=Checks(
            switches=(Switch(("quiet",), "quiet switches its hooks off", value=True),),
            approval="tests.clients.parrot_code",
            probe=("squawk",),
            probe_trouble="this version cannot squawk",
        ),
        plugin=Plugin("a crate", ("crate.json",), withheld=("loud",)),
    )


PARROT = Client(
    "parrot",
    "Parrot CLI",
    own_names=("parrot-mcp",),
    agent="polly",
    program="parrot-cli",
    shell_variables=("PARROT",),
    session_variables=("PARROT_SESSION",),
    request_key="parrotSession",
    project_variable="PARROT_PROJECT",
    reply_limit=5_000,
    ignores_updates=True,
    hooks=Hooks(
        events=("Hatched", "AfterTool", "TurnOver"),
        begins="Hatched",
        turn_end="TurnOver",
        refusal="screech",
        units_per_s=1000,
        every_tool="any",
    ),
    reach=Reach("tests.clients.parrot_code", idle="a cracker", working="hooks", hooks_s=3.0),
    files=_files,
)

# Runs `ai-bridge` with the record in the table.
PROGRAM = """
from ai_bridge import clients
from tests.clients.parrot import PARROT
clients.ALL = (*clients.ALL, PARROT)
from ai_bridge.cli.entry import ai_bridge
ai_bridge()
"""
