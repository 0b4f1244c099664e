"""Rules of the structure that import-linter and ruff cannot check: sizes, third-party places, imports of `send`.

The order of the packages, the one module that changes the disk, and what no module imports at its top are in
`pyproject.toml`.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.support.checkout import ROOT

PACKAGE = ROOT / "ai_bridge"
MOST_LINES, MOST_LINES_OF_A_FUNCTION, MOST_MODULES = 280, 40, 18
# Lines of a command, or of a tool of the server, without its docstring.
MOST_LINES_OF_A_FACE = 10
# Each third-party package is met in these places only.
MET_IN = {
    "mcp": {"server", "cli.commands.demo"},
    "mcp_types": {"server", "cli.commands.demo"},
    "watchdog": {"system.directory_events"},
    "click": {"cli"},
    "frontmatter": {"message.handler", "system.front_matter", "system.yaml_handler"},
    "yaml": {"system.yaml_handler"},
    "jsonschema": {"server"},
    "anyio": {"api.agent", "server", "cli.commands.demo"},
    "tomlkit": {"install"},
    "nats": {"link.broker"},
    "wcwidth": {"cli.screen"},
    "websockets": {"reach.means.codex_daemon"},
}
# What formats and parses times: functions, and modules that are of use for little else.
TIMES = {"strftime", "strptime", "gmtime", "localtime", "mktime", "ctime", "asctime", "fromisoformat", "isoformat"}
DATES = ("datetime.", "calendar.", "email.utils.")
# Modules that have no test file of their own: where they are tested, and why not by themselves.
TESTED_ELSEWHERE = [
    (
        "tests/api/test_api.py",
        "the Python API is tested as its page shows it, all names together",
        "api/agent api/mailboxes api/message api/texts",
    ),
    (
        "tests/clients",
        "it is a record, or makes what all clients share; the tests of the clients walk over every record",
        "clients/claude_code clients/codex_cli clients/files clients/gemini_cli clients/project clients/record",
    ),
    (
        "tests/agents",
        "it is one step of reading the cards; the tests of cards and agents take all steps together",
        "agents/address_book agents/other_teams agents/retired machines/home_lines mailboxes/card_files",
    ),
    (
        "tests/cli/commands/test_allow.py",
        "a person's rights differ from an agent's; the tests of the commands try both",
        "sending/allow",
    ),
    (
        "tests/cli/commands",
        "it only prints; the tests of the commands run it as a process and look at what is printed",
        "__main__ agents/peers cli/commands/demo cli/commands/wait cli/common cli/editor cli/entry "
        "cli/health_output cli/main cli/output cli/reader cli/receipts router/log_tail router/systemd "
        "cli/screen/aside cli/screen/decided cli/screen/matches cli/screen/messages cli/screen/talks",
    ),
    (
        "tests/cli/test_bad_input.py",
        "a wrong line is answered by the whole program; its tests type the answer",
        "cli/usage",
    ),
    (
        "tests/cli/test_sending.py",
        "the fast way and the slow way to send are one command; its tests take both",
        "cli/batch cli/fast_send cli/outside",
    ),
    (
        "tests/archive/test_threads.py",
        "the machine that moves a file is asked for each file that is to be archived",
        "archive/movers",
    ),
    (
        "tests/archive/test_fulfil.py",
        "a wish is written on one machine and fulfilled on another; the tests are on both",
        "archive/wishes",
    ),
    (
        "tests/health/test_doctor.py",
        "the doctor puts what it reports together; its tests look at whole reports",
        "cli/commands/doctor health/claude health/gemini health/registration health/server_start health/switches",
    ),
    (
        "tests/health/test_mail.py",
        "it is a part of one report of health",
        "health/agent_health",
    ),
    (
        "tests/mailboxes/test_adoption.py",
        "it reports what strangers put into the mailboxes; the tests of strangers' mailboxes need it",
        "health/intrusions",
    ),
    (
        "tests/install",
        "installing is all or nothing; the tests install and uninstall with all pieces",
        "cli/commands/install cli/everything_shown install/content install/json_file install/pieces "
        "install/places install/plan install/trust system/config_files",
    ),
    (
        "tests/link",
        "a link works with a server or not at all; the tests run a real one between two teams",
        "cli/commands/link link/arrived link/broker/administration link/broker/connection "
        "link/broker/permissions link/broker/publishing link/broker/streams "
        "link/carrier link/config link/flows link/joining link/keeper link/outgoing link/owed_receipts "
        "link/receipts link/refused link/remote_agents link/state link/wire",
    ),
    (
        "tests/machines/syncthing/test_setup.py",
        "it speaks to Syncthing; the tests run a real one",
        "cli/commands/sync machines/syncthing/status",
    ),
    (
        "tests/decisions/test_tally.py",
        "a decision is opened, counted and judged in one thread; the tests play whole threads",
        "decisions/decision decisions/judge decisions/opening",
    ),
    (
        "tests/history/test_search.py",
        "the index is a cache; its tests hold it to a plain walk over the files",
        "history/database history/entry history/indexer history/query",
    ),
    (
        "tests/server/test_reading.py",
        "it shows or fetches mail; the tests read it as a model does",
        "inbox/framing server/membership server/instructions server/plain_tools server/run server/tool_calls",
    ),
    (
        "tests/inbox/test_fetch.py",
        "a wait is a fetch that begins with sleep; both are tested together",
        "inbox/wait mailboxes/unread",
    ),
    (
        "tests/history/test_meant.py",
        "the end of an ID is one of the ways to mean a message",
        "history/ends",
    ),
    (
        "tests/reach/test_ways.py",
        "each client is rung by its own means; one test file holds them side by side",
        "reach/means/claude reach/means/codex reach/means/gemini",
    ),
    (
        "tests/reach/test_rings.py",
        "they are what a ring is decided by and noted in; the tests of rings look at what is rung",
        "reach/due reach/manner reach/memory_file",
    ),
    (
        "tests/sending/test_limits.py",
        "the budget of a pair is one of the limits; its tests let pairs talk until they are stopped",
        "sending/pairs",
    ),
    (
        "tests/contract/test_ways_in.py",
        "composing and dropping are one send; every way to send is held to the same contract",
        "mailboxes/compose mailboxes/drop sending/send",
    ),
    (
        "tests/machines/syncthing/test_nudge.py",
        "a change of the tree is heard by what asks Syncthing",
        "mailboxes/changes",
    ),
    (
        "tests/router/test_route.py",
        "states, moves and names are what a pass makes and finds",
        "mailboxes/file_names mailboxes/outbox mailboxes/states router/recipients router/set_aside router/step",
    ),
    (
        "tests/router/test_daemon.py",
        "it is the router's process: its locks and what runs beside it",
        "router/at_work router/served system/signals",
    ),
    (
        "tests/system/test_filesystems.py",
        "a share is told by its file system",
        "mailboxes/share system/libc",
    ),
    (
        "tests/message/test_message.py",
        "an address, the headers and the handler are the text of a message",
        "message/address message/handler message/headers",
    ),
    (
        "tests/agents/test_cards.py",
        "a page is what a card is",
        "system/front_matter system/yaml_handler",
    ),
    (
        "tests/mailboxes/test_wake.py",
        "the kernel's events are what a wake waits for",
        "system/directory_events",
    ),
    (
        "tests/router/test_route.py",
        "whether a file is still being written is asked before a claim",
        "system/settled",
    ),
    (
        "tests/mailboxes/test_adoption.py",
        "the folders are where adopted mailboxes and their state are kept",
        "system/directories system/paths",
    ),
    (
        "tests/test_settings.py",
        "it is a part of reading the settings",
        "settings/setting settings/toml_text",
    ),
    (
        "tests/server/test_wording.py",
        "it has only refusals; a test walks over all of them",
        "errors",
    ),
]


Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def parsed(path: Path) -> ast.Module:
    """Return what a file says, read once for all tests."""
    return ast.parse(path.read_text())


@cache
def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name below it."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in paths}


def imports(path: Path) -> set[str]:
    """Return the modules a file imports, wherever it does so: as written, absolute."""
    found: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_a_third_party_package_is_met_in_its_place_only() -> None:
    allowed = sys.stdlib_module_names | {"ai_bridge"}
    elsewhere = [
        f"{module} imports {name}"
        for module, path in modules().items()
        for name in {name.partition(".")[0] for name in imports(path)} - allowed
        if not any(f"{module}.".startswith(f"{place}.") for place in MET_IN[name])
    ]
    assert elsewhere == []


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines of a function without its docstring."""
    first = function.body[0]
    said = (first.end_lineno or first.lineno) - first.lineno + 1 if ast.get_docstring(function) else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - said


def test_modules_and_functions_stay_small() -> None:
    too_large = []
    for module, path in modules().items():
        text = path.read_text()
        if text.count("\n") > MOST_LINES:
            too_large.append(module)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                too_large += [f"{module}.{node.name}"] if lines_of(node) > MOST_LINES_OF_A_FUNCTION else []
    assert too_large == []


def body_lines(function: Function) -> int:
    """Return the lines from a function's first statement, not counting its docstring, to its last."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def is_command(function: Function) -> bool:
    """Tell whether a decorator such as `@click.command()` makes the function a command."""
    called = [one.func if isinstance(one, ast.Call) else one for one in function.decorator_list]
    return any(isinstance(one, ast.Attribute) and one.attr == "command" for one in called)


def functions_of(module: str) -> dict[str, Function]:
    """Return the functions of a module by their names, without those inside of others."""
    parts = parsed(modules()[module]).body
    return {part.name: part for part in parts if isinstance(part, Function)}


def faces() -> dict[str, Function]:
    """Return the functions of all commands, and of all tools of the server, by module and name."""
    from ai_bridge.server.plain_tools import PLAIN
    from ai_bridge.server.tool_calls import AWAITED

    found = {}
    for module in modules():
        if module.startswith("cli.commands."):
            functions = functions_of(module)
            found |= {f"{module}:{name}": functions[name] for name in functions if is_command(functions[name])}
    for module, tools in (("server.plain_tools", PLAIN), ("server.tool_calls", AWAITED)):
        functions = functions_of(module)
        found |= {f"{module}:{tool.__name__}": functions[tool.__name__] for tool in tools.values()}
    return found


def test_a_face_parses_makes_one_core_call_and_formats() -> None:
    too_long = {name: lines for name, face in faces().items() if (lines := body_lines(face)) > MOST_LINES_OF_A_FACE}
    assert too_long == {}


def test_no_command_and_no_tool_escapes_that_limit() -> None:
    from ai_bridge.cli.main import _BRIDGE, _COLLAB
    from ai_bridge.server import tools

    measured = faces()
    commands = {place.removeprefix("ai_bridge.") for place, _ in [*_BRIDGE.values(), *_COLLAB.values()]}
    assert {name for name in measured if name.startswith("cli.")} == commands
    assert len(measured) - len(commands) == len(tools.names())


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("def f():\n    'what it does'", 0),
        ("def f():\n    '''what\n    it does'''\n    return 1", 1),
        ("async def f():\n    # why\n    a = 1\n\n    def g():\n        return a\n    return g", 5),
    ],
)
def test_a_docstring_does_not_count_and_a_nested_function_does(text: str, lines: int) -> None:
    (function,) = ast.parse(text).body
    assert isinstance(function, Function)
    assert body_lines(function) == lines


def test_no_folder_holds_more_modules_than_a_reader_can_take_in() -> None:
    folders = {path.parent for path in modules().values()}
    crowded = {
        folder.name: count for folder in folders if (count := len(list(folder.glob("[!_]*.py")))) > MOST_MODULES
    }
    assert crowded == {}


def test_the_root_has_what_all_share_and_nothing_else() -> None:
    at_root = {path.name for path in PACKAGE.glob("*.py")}
    assert at_root == {"__init__.py", "__main__.py", "errors.py", "text.py"}


def test_nothing_of_the_package_is_imported_under_another_name() -> None:
    renamed = [
        f"{module}: {alias.name} as {alias.asname}"
        for module, path in modules().items()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ai_bridge")
        for alias in node.names
        if alias.asname not in (None, alias.name)
    ]
    assert renamed == []


def handles_times(path: Path) -> bool:
    """Tell whether a file imports a module for dates, or names a function that formats or parses times."""
    names = {node.attr for node in ast.walk(parsed(path)) if isinstance(node, ast.Attribute)}
    taken = imports(path)
    names |= {name.rpartition(".")[2] for name in taken}
    return bool(names & TIMES) or any(f"{name}.".startswith(DATES) for name in taken)


def test_only_one_module_formats_and_parses_times() -> None:
    assert [module for module, path in modules().items() if handles_times(path)] == ["system.times"]


@pytest.mark.parametrize(
    "line",
    [
        *("import datetime", "from datetime import UTC", "from calendar import timegm", "from time import strptime"),
        *("import time as t; t.strftime('%Y')", "import time; time.gmtime()", "from email.utils import formatdate"),
    ],
)
def test_no_way_to_format_a_time_is_overlooked(line: str, tmp_path: Path) -> None:
    (tmp_path / "some.py").write_text(line)
    assert handles_times(tmp_path / "some.py")


def test_every_module_has_a_test_file_or_a_reason_to_be_tested_elsewhere() -> None:
    named = [name for _, _, names in TESTED_ELSEWHERE for name in names.split()]
    without = {
        str(path.relative_to(PACKAGE).with_suffix(""))
        for path in modules().values()
        if path.name != "__init__.py"
        and not (ROOT / "tests" / path.relative_to(PACKAGE)).with_name(f"test_{path.name}").exists()
    }
    assert sorted(named) == sorted(without)
    assert [where for where, _, _ in TESTED_ELSEWHERE if not (ROOT / where).exists()] == []


def test_a_send_imports_nothing_it_could_do_without(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "before = set(sys.modules)\n"
        "from ai_bridge.cli import fast_send\n"
        "new = lambda: sorted(set(sys.modules) - before)\n"
        "os._exit = lambda code: (print(code, *new()), sys.stdout.flush(), sys.exit(code))\n"
        "fast_send.send(['gemini', '--from', 'claude'])\n"
    )
    from ai_bridge.mailboxes.tree import Tree

    Tree(str(tmp_path / "m")).make(["claude", "gemini"])
    environment = {**os.environ, "AI_BRIDGE_MAILBOXES": str(tmp_path / "m"), "AI_BRIDGE_PAIR_PER_HOUR": "60"}
    done = subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{script}"],
                          input=b"hi", capture_output=True, env=environment, check=False)  # fmt: skip
    code, *loaded = done.stdout.decode().split("\n")[1].split()
    assert (code, done.stderr) == ("0", b"")
    assert {name for name in loaded if not name.startswith("ai_bridge")} <= {"errno", "_errno"}
