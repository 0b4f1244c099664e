"""Imports point downward only, the disk is changed in one module, and `send` starts with next to nothing."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "ai_bridge"
# The way of a message, from the bottom up: a module imports only what stands before it.
ORDER = [
    *("__init__", "text", "refusal", "errors", "threads"),
    *("paths", "address", "headers", "handler", "message", "votes", "decision"),
    *("libc", "reading", "durable", "lease", "locks", "state", "settings", "adoption", "sharing", "nudge"),
    *("outbox", "conflicts", "mailboxes", "git", "excerpt", "attachment", "context", "home", "page", "home_lines"),
    *("policy", "homes", "cards", "roster", "linked", "machines", "presence", "clocks", "sync"),
    *("hops", "which", "trace", "cache", "indexed", "indexing", "index", "allowed", "traffic"),
    *("ids", "send", "guard", "gate", "decide", "judge", "reject", "claims", "step"),
    *("recipients", "route", "recover", "strays"),
    *("allow", "inbox", "peers", "framing", "pipe", "hand", "watches", "wake", "receipt", "delay", "fetch"),
    *("processes", "identity", "person", "sessions"),
    *("log", "link", "handover", "fact", "intrusions", "surroundings", "health", "router_locks", "daemon", "control"),
    *("service", "install"),
    *("reach", "doctor", "server", "cli", "__main__"),
]
# Within the packages of the server, of the command line, of reach and of the registration, the same holds.
SERVER = [
    *("__init__", "instructions", "tools", "session", "looking", "answers", "calls"),
    *("reaching", "resources", "transport", "run"),
]
CLI = [
    *("__init__", "stderr", "receipts", "sending", "fast", "group", "output", "reader", "demo"),
    *("mail", "wait", "allow", "look", "past", "editing", "book", "link", "sync", "operate", "hooking", "setup"),
    *("install", "doctor", "main", "entry"),
]
REACH = [
    *("__init__", "told", "turn", "client", "notice", "claude", "codex", "gemini", "known"),
    *("carry", "watch", "background"),
]
INSTALL = [
    *("merge", "content", "entries", "json_file", "toml_file"),
    *("plan", "places", "clients", "plugin", "registered", "trust", "__init__"),
]
SYNC = ["__init__", "api", "coming", "setup", "status"]
DOCTOR = ["finding", "switches", "registration", "starting", "__init__"]
LINK = [
    *("__init__", "config", "wire", "permissions", "journal", "arrived", "refused", "book", "outgoing", "incoming"),
    *("receipts", "state", "making", "streams", "publishing", "server", "roster", "upkeep", "flows", "carrier"),
    "setting",
]
WITHIN = {
    **{"reach": REACH, "server": SERVER, "cli": CLI, "install": INSTALL, "doctor": DOCTOR, "sync": SYNC},
    "link": LINK,
}
# Each third-party package is met in these places only.
MET_IN = {
    "mcp": {"server", "cli.demo"},
    "mcp_types": {"server", "cli.demo"},
    "watchdog": {"watches"},
    "click": {"cli"},
    "frontmatter": {"handler", "page"},
    "yaml": {"page"},
    "jsonschema": {"server"},
    "anyio": {"server", "cli.demo"},
    "tomlkit": {"install"},
    "nats": {"link.making", "link.streams", "link.publishing", "link.server"},
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


def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name below it."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in paths}


def imports(path: Path) -> set[str]:
    """Return the modules a file imports, wherever it does so: as written, absolute."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _own(name: str) -> str | None:
    """Return the module of the package that an imported name is, or is in."""
    parts = name.split(".")
    if parts[0] != "ai_bridge":
        return None
    known = modules()
    inner = parts[1:]
    while inner and ".".join(inner) not in known and ".".join([*inner, "__init__"]) not in known:
        inner.pop()
    return ".".join(inner) or "__init__"


def _rank(module: str) -> tuple[int, int]:
    top, _, inner = module.partition(".")
    within = WITHIN.get(top, [""])
    return ORDER.index(top), within.index(inner or within[0])


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_only_from_below(module: str) -> None:
    for name in imports(modules()[module]):
        if (below := _own(name)) is not None and below != module:
            assert _rank(below) < _rank(module), f"{module} imports {below}"


@pytest.mark.parametrize("module", modules())
def test_a_third_party_package_is_met_in_its_place_only(module: str) -> None:
    allowed = sys.stdlib_module_names | {"ai_bridge"}
    for name in {name.partition(".")[0] for name in imports(modules()[module])} - allowed:
        assert any(f"{module}.".startswith(f"{place}.") for place in MET_IN[name]), f"{module} imports {name}"


@pytest.mark.parametrize("module", sorted(set(modules()) - {"durable"}))
def test_only_one_module_changes_the_disk(module: str) -> None:
    for node in ast.walk(ast.parse(modules()[module].read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            assert not (isinstance(owner, ast.Name) and owner.id == "os" and node.func.attr in CHANGES), module


def test_every_module_has_its_place() -> None:
    assert {module.partition(".")[0] for module in modules()} == set(ORDER)


@pytest.mark.parametrize("module", modules())
def test_modules_and_functions_stay_small(module: str) -> None:
    text = modules()[module].read_text()
    assert text.count("\n") <= 280, "split the module"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 40, f"split {node.name}"


def test_a_send_imports_nothing_it_could_do_without(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "before = set(sys.modules)\n"
        "from ai_bridge.cli import fast\n"
        "new = lambda: sorted(set(sys.modules) - before)\n"
        "os._exit = lambda code: (print(code, *new()), sys.stdout.flush(), sys.exit(code))\n"
        "fast.send(['gemini', '--from', 'claude'])\n"
    )
    from ai_bridge.mailboxes import Mailboxes

    Mailboxes(str(tmp_path / "m")).make(["claude", "gemini"])
    environment = {**os.environ, "AI_BRIDGE_MAILBOXES": str(tmp_path / "m"), "AI_BRIDGE_PAIR_PER_HOUR": "60"}
    done = subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{script}"],
                          input=b"hi", capture_output=True, env=environment, check=False)  # fmt: skip
    code, *loaded = done.stdout.decode().split("\n")[1].split()
    assert (code, done.stderr) == ("0", b"")
    assert {name for name in loaded if not name.startswith("ai_bridge")} <= {"errno", "_errno"}
