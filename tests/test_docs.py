"""The documents name everything that exists: commands, options, tools, headers, settings, variables, moves."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from ai_bridge import errors, settings
from ai_bridge.agents.identity import VARIABLES, NoIdentity
from ai_bridge.agents.resolve import NobodyElse
from ai_bridge.cli import fast_send
from ai_bridge.cli.main import bridge, collab
from ai_bridge.mailboxes.compose import BadSubject
from ai_bridge.mailboxes.outbox import DIRECTORIES, MOVES, STATES
from ai_bridge.mailboxes.tree import README, ReservedAddress
from ai_bridge.message import headers
from ai_bridge.server.tools import tools
from tests.support import commands_page
from tests.support.checkout import ROOT

READ_ME = (ROOT / "README.md").read_text()
COMMANDS = (ROOT / "docs/commands.md").read_text()
CLIENTS = (ROOT / "docs/clients.md").read_text()
SETTINGS = (ROOT / "docs/settings.md").read_text()
README_LINES = 160
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
FORMAT = (ROOT / "docs/format.md").read_text()
PAGES = sorted(path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_the_reference_of_the_commands_is_what_they_say_of_themselves() -> None:
    assert commands_page.page(COMMANDS) == COMMANDS, "`python -m tests.support.commands_page` writes it again"


def test_the_readme_is_short() -> None:
    assert len(READ_ME.splitlines()) <= README_LINES


@pytest.mark.parametrize("name", [*bridge.lazy, *collab.lazy])  # type: ignore[attr-defined]
def test_every_command_is_in_the_reference(name: str) -> None:
    assert re.search(rf"^`ai-(bridge|collab) {name}\b", COMMANDS, re.MULTILINE)


@pytest.mark.parametrize("name", sorted({*bridge.lazy} - {"mcp", "demo"}))  # type: ignore[attr-defined]
def test_every_command_explains_itself_and_has_the_common_options(name: str) -> None:
    command = bridge.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    assert command.help
    assert {"where", "agent", "as_json"} <= {parameter.name for parameter in command.params}


def test_the_fast_path_knows_the_options_that_click_knows() -> None:
    command = bridge.get_command(None, "send")  # type: ignore[arg-type]
    assert command is not None
    known = {option for parameter in command.params for option in parameter.opts if option.startswith("-")}
    assert known == {*fast_send.VALUES, *fast_send.LISTS, *fast_send.FLAGS}


@pytest.mark.parametrize("tool", tools(["gemini"]), ids=lambda tool: tool.name)
def test_every_tool_and_its_arguments_are_in_the_page_on_clients(tool: object) -> None:
    name = tool.name.replace("gemini", "<agent>")  # type: ignore[attr-defined]
    assert f"`{name}`" in CLIENTS
    for argument in tool.input_schema["properties"]:  # type: ignore[attr-defined]
        assert f"`{argument}`" in CLIENTS


@pytest.mark.parametrize("name", headers.OURS)
def test_every_header_is_in_the_format(name: str) -> None:
    assert f"`{name}`" in FORMAT


@pytest.mark.parametrize("setting", settings.SETTINGS.values(), ids=lambda setting: setting.name)
def test_every_setting_is_in_the_page_on_settings_with_its_default(setting: settings.Setting) -> None:
    (row,) = [
        line
        for line in SETTINGS.splitlines()
        if (f"| `{setting.variable}`" in line or f", `{setting.variable}`" in line)
        or (setting.is_users_own and f"| `{setting.name}` | not read |" in line)
    ]
    assert f"`{setting.name}`" in row
    assert (str(setting.default).lower().removesuffix(".0") if setting.default != () else "none") in row


@pytest.mark.parametrize("variable", ["AI_BRIDGE_MAILBOXES", "AI_BRIDGE_STATE", *VARIABLES])
def test_every_variable_is_in_the_page_on_settings(variable: str) -> None:
    assert f"`{variable}`" in SETTINGS


@pytest.mark.parametrize("move", MOVES)
def test_the_table_of_moves_is_the_codes(move: str) -> None:
    (row,) = [line for line in FORMAT.splitlines() if line.startswith(f"| {move} |")]
    source, target = (f"`{DIRECTORIES[state]}`" if DIRECTORIES[state] else "root" for state in MOVES[move])
    assert f"{source} → {target}" in row


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_in_the_format(state: str) -> None:
    assert f"| {state} |" in FORMAT


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def _packages() -> list[str]:
    """Return the packages from the bottom up, as the contract of the layers orders them, each with those in it."""
    (contract,) = [one for one in CONTRACTS if one["type"] == "layers"]
    found = []
    for layer in reversed(contract["layers"]):
        for name in layer.split(" | "):
            parts = sorted((ROOT / "ai_bridge" / name).rglob("__init__.py"))
            found += [str(part.parent.relative_to(ROOT / "ai_bridge")) for part in parts]
    return found


def _sentence(package: str) -> str:
    """Return what a package says of itself: the first paragraph of its docstring."""
    doc = ast.get_docstring(ast.parse((ROOT / "ai_bridge" / package / "__init__.py").read_text()))
    assert doc
    return doc.partition("\n\n")[0].replace("\n", " ")


def test_the_flow_lists_every_package_in_its_order_with_its_own_sentence() -> None:
    listed = re.findall(r"^\| `([\w/]+)/` \| (.*) \|$", (ROOT / "docs/flow.md").read_text(), re.MULTILINE)
    assert listed == [(package, _sentence(package)) for package in _packages()]


@pytest.mark.parametrize("package", _packages())
def test_a_package_says_which_names_to_call_and_they_exist(package: str) -> None:
    doc = ast.get_docstring(ast.parse((ROOT / "ai_bridge" / package / "__init__.py").read_text())) or ""
    for name, attribute in re.findall(r"`(\w+)\.(\w+)`", doc):
        module = ROOT / "ai_bridge" / package / f"{name}.py"
        assert re.search(
            rf"^(def|class|async def) {attribute}\b|^{attribute}\b.* =", module.read_text(), re.MULTILINE
        )


def test_the_readmes_commands_exist_and_are_executable() -> None:
    for script in re.findall(r"\./(management/[\w-]+\.sh)", READ_ME):
        assert os.access(ROOT / script, os.X_OK)


def test_the_mailboxes_readme_is_the_one_the_program_writes() -> None:
    assert (ROOT / "mailboxes" / README).read_bytes() == (ROOT / "ai_bridge/mailboxes/readme.md").read_bytes()


def test_the_mailboxes_ship_empty() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    listed = subprocess.run(["git", "ls-files", "mailboxes"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert listed.stdout.split() == ["mailboxes/README.md"]


def test_the_shells_and_the_programs_sentences_agree() -> None:
    """What `send.sh` refuses, it refuses in the words of `errors`, as far as a shell can say them."""
    shell = (ROOT / "management/send.sh").read_text()
    for refusal in (
        errors.EmptyBody(),
        BadSubject(what="a line break"),
        ReservedAddress(address="postmaster"),
        str(NoIdentity(known="")).partition("--agent")[0],
        str(errors.TooLarge(what="", size="", limit="$limit")).partition(", ")[2],
        str(NobodyElse(sender="$from")).replace("`", "\\`"),
    ):
        assert str(refusal) in shell


def test_every_test_that_security_names_exists() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    written = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    for path in re.findall(r"`(tests/[\w./]*)`", text):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`(test_\w+)…?`", text):
        assert f"def {name}" in written, name
