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
# Each third-party package is met in these places only.
MET_IN = {
    "mcp": {"server", "cli.commands.demo"},
    "mcp_types": {"server", "cli.commands.demo"},
    "watchdog": {"system.directory_events"},
    "click": {"cli"},
    "frontmatter": {"message.handler", "system.front_matter", "system.yaml_handler"},
    "yaml": {"system.yaml_handler"},
    "jsonschema": {"server"},
    "anyio": {"server", "cli.commands.demo"},
    "tomlkit": {"install"},
    "nats": {"link.broker"},
}
# What formats and parses times: functions, and modules that are of use for little else.
TIMES = {"strftime", "strptime", "gmtime", "localtime", "mktime", "ctime", "asctime", "fromisoformat", "isoformat"}
DATES = ("datetime.", "calendar.", "email.utils.")


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


def test_modules_and_functions_stay_small() -> None:
    too_large = []
    for module, path in modules().items():
        text = path.read_text()
        if text.count("\n") > MOST_LINES:
            too_large.append(module)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                too_large += [f"{module}.{node.name}"] if length > MOST_LINES_OF_A_FUNCTION else []
    assert too_large == []


def test_no_folder_holds_more_modules_than_a_reader_can_take_in() -> None:
    folders = {path.parent for path in modules().values()}
    crowded = {
        folder.name: count for folder in folders if (count := len(list(folder.glob("[!_]*.py")))) > MOST_MODULES
    }
    assert crowded == {}


def test_the_root_has_what_all_share_and_nothing_else() -> None:
    at_root = {path.name for path in PACKAGE.glob("*.py")}
    assert at_root == {"__init__.py", "__main__.py", "errors.py", "settings.py", "text.py"}


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
