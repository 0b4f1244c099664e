"""Imports point downward only, the disk is changed in one module, and `send` starts with next to nothing."""

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
# Each third-party package is met in these places only.
MET_IN = {
    "mcp": {"server", "cli.commands.demo"},
    "mcp_types": {"server", "cli.commands.demo"},
    "watchdog": {"system.directory_events"},
    "click": {"cli"},
    "frontmatter": {"message.handler", "system.front_matter"},
    "yaml": {"system.front_matter"},
    "jsonschema": {"server"},
    "anyio": {"server", "cli.commands.demo"},
    "tomlkit": {"install"},
    "nats": {"link.broker"},
}
CHANGES = {
    "rename",
    "renames",
    "replace",
    "unlink",
    "remove",
    "mkdir",
    "makedirs",
    "rmdir",
    "link",
    "symlink",
    "truncate",
}


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


@pytest.mark.parametrize("module", modules())
def test_a_third_party_package_is_met_in_its_place_only(module: str) -> None:
    allowed = sys.stdlib_module_names | {"ai_bridge"}
    for name in {name.partition(".")[0] for name in imports(modules()[module])} - allowed:
        assert any(f"{module}.".startswith(f"{place}.") for place in MET_IN[name]), f"{module} imports {name}"


@pytest.mark.parametrize("module", sorted(set(modules()) - {"system.durable"}))
def test_only_one_module_changes_the_disk(module: str) -> None:
    for node in ast.walk(parsed(modules()[module])):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            assert not (isinstance(owner, ast.Name) and owner.id == "os" and node.func.attr in CHANGES), module


@pytest.mark.parametrize("module", modules())
def test_modules_and_functions_stay_small(module: str) -> None:
    text = modules()[module].read_text()
    assert text.count("\n") <= 280, "split the module"
    for node in ast.walk(parsed(modules()[module])):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 40, f"split {node.name}"


def test_a_send_imports_nothing_it_could_do_without(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "before = set(sys.modules)\n"
        "from ai_bridge.cli import fast_send\n"
        "new = lambda: sorted(set(sys.modules) - before)\n"
        "os._exit = lambda code: (print(code, *new()), sys.stdout.flush(), sys.exit(code))\n"
        "fast_send.send(['gemini', '--from', 'claude'])\n"
    )
    from ai_bridge.mailboxes.tree import Mailboxes

    Mailboxes(str(tmp_path / "m")).make(["claude", "gemini"])
    environment = {**os.environ, "AI_BRIDGE_MAILBOXES": str(tmp_path / "m"), "AI_BRIDGE_PAIR_PER_HOUR": "60"}
    done = subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{script}"],
                          input=b"hi", capture_output=True, env=environment, check=False)  # fmt: skip
    code, *loaded = done.stdout.decode().split("\n")[1].split()
    assert (code, done.stderr) == ("0", b"")
    assert {name for name in loaded if not name.startswith("ai_bridge")} <= {"errno", "_errno"}
