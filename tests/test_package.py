"""The package: it declares what it imports, and its wheel works where nothing else of this checkout is."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from ai_bridge import __version__
from tests.support.checkout import ROOT

# The environment that the tests were started in: pip finds its configuration and its cache by it.
ORDINARY = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_CORE_"))}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# The only part that needs an extra: its name is that of the extra.
OPTIONAL = {"nats": "link/broker"}
PACKAGE = ROOT / "ai_bridge"


# --- what is declared -------------------------------------------------------------------------------------


def _imported(path: Path) -> set[str]:
    """Return the packages that a module imports, wherever in it, and that are neither Python's nor its own."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        found |= {name.partition(".")[0] for name in names}
    return found - sys.stdlib_module_names - {"ai_bridge"}


def _distributions(folder: Path, without: str = "") -> set[str]:
    """Return the distributions that modules below a folder need, except those below its folder `without`."""
    paths = [path for path in folder.rglob("*.py") if not (without and path.is_relative_to(folder / without))]
    provides = metadata.packages_distributions()
    return {_normal(provides[name][0]) for path in paths for name in _imported(path)}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _declared(requirements: list[str]) -> set[str]:
    return {_normal(re.split(r"[^\w.-]", one)[0]) for one in requirements}


def test_every_distribution_that_is_imported_is_declared_and_no_other() -> None:
    assert _distributions(PACKAGE, without=OPTIONAL["nats"]) == _declared(PROJECT["dependencies"])


@pytest.mark.parametrize("extra", OPTIONAL)
def test_an_extra_is_what_its_part_needs_besides(extra: str) -> None:
    needed = _distributions(PACKAGE / OPTIONAL[extra])
    assert needed - _declared(PROJECT["dependencies"]) == _declared(PROJECT["optional-dependencies"][extra])


def test_watchdog_is_bounded_for_its_private_part_is_used() -> None:
    (wanted,) = [one for one in PROJECT["dependencies"] if one.startswith("watchdog")]
    assert wanted == "watchdog>=7.1,<8"


# --- what is built ----------------------------------------------------------------------------------------


def _run(words: list[str], cwd: Path, environment: dict[str, str] = ORDINARY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def _content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


@pytest.mark.package
def test_wheel_and_sdist_hold_everything_and_nothing_is_left_in_the_checkout(tmp_path: Path) -> None:
    before = {name for name in os.listdir(ROOT) if not name.startswith(".")}
    both, alone = tmp_path / "both", tmp_path / "alone"
    build = [sys.executable, "-m", "build", str(ROOT), "--no-isolation", "--outdir"]
    for words in ([str(both)], [str(alone), "--wheel"]):
        built = _run([*build, *words], tmp_path)
        assert built.returncode == 0, built.stdout + built.stderr
    assert {name for name in os.listdir(ROOT) if not name.startswith(".")} == before
    (wheel,), (from_sdist,), (sdist,) = alone.glob("*.whl"), both.glob("*.whl"), both.glob("*.tar.gz")
    assert wheel.name == from_sdist.name == f"ai_bridge-{__version__}-py3-none-any.whl"
    assert sdist.name == f"ai_bridge-{__version__}.tar.gz"
    content = _content(wheel)
    assert content == _content(from_sdist)
    _check_wheel(content)
    _check_sdist(sdist)


def _check_wheel(content: dict[str, bytes]) -> None:
    """Check that the wheel holds each file of the package, data included, and the licence."""
    paths = [path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    files = {str(path.relative_to(ROOT)): path.read_bytes() for path in paths}
    assert {"ai_bridge/py.typed", "ai_bridge/mailboxes/readme.md"} < set(files)
    assert "ai_bridge/install/skills/advisor/SKILL.md" in files
    information = f"ai_bridge-{__version__}.dist-info"
    assert {name: data for name, data in content.items() if not name.startswith(information)} == files
    assert content[f"{information}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    said = content[f"{information}/METADATA"].decode().partition("\n\n")[0].splitlines()
    assert {f"Version: {__version__}", "License-Expression: MIT", "License-File: LICENSE"} <= set(said)


def _check_sdist(sdist: Path) -> None:
    """Check that the sdist holds the licence, and what its README's commands and links need."""
    with tarfile.open(sdist) as opened:
        modes = {member.name.partition("/")[2]: member.mode for member in opened.getmembers()}
    links = set(re.findall(r"\]\(([^):#]+)[^)]*\)", (ROOT / "README.md").read_text()))
    for name in {
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "tests/test_package.py",
        ".github/workflows/ci.yml",
        *links,
    }:
        assert any(f"{one}/".startswith(f"{name.rstrip('/')}/") for one in modes), name
    assert modes["management/test.sh"] & 0o100


# --- what is installed ------------------------------------------------------------------------------------


@pytest.mark.package
@pytest.mark.timeout(600)
def test_the_wheel_works_in_an_empty_environment_and_says_how_to_add_an_extra(tmp_path: Path) -> None:
    python = tmp_path / "environment" / "bin" / "python"
    _succeed([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "environment")])
    _succeed([sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)])
    (wheel,) = tmp_path.glob("*.whl")
    _succeed([sys.executable, "-m", "pip", "--python", str(python), "install", str(wheel), "pip"])
    (tmp_path / "folder").mkdir()
    assert _command(python, "--version").stdout == f"ai-bridge, version {__version__}\n"
    played = _command(python, "demo")
    assert (played.returncode, played.stdout.splitlines()[-1]) == (0, "Every step was seen."), played.stdout
    assert os.listdir(tmp_path / "folder") == []
    _check_extra(python)


def _check_extra(python: Path) -> None:
    """Check that a link is refused with a command, and no longer refused once that command was run."""
    _command(python, "init", "--mailboxes", "mailboxes")
    link = ["link", "nats://127.0.0.1:1", "--as", "north", "--mailboxes", "mailboxes"]
    refused = _command(python, *link)
    found = re.fullmatch(r"error: a link needs the client of NATS: `(.*)`\n", refused.stderr)
    assert found, refused.stderr
    words = shlex.split(found[1])
    assert words[0] == str(python)
    _succeed(words)
    assert "not reached yet" in _command(python, *link).stderr


def _command(python: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the installed `ai-bridge` with a home and in a folder that are empty at first."""
    own = {name: ORDINARY[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR") if name in ORDINARY}
    there = python.parent.parent.parent
    return _run([str(python.with_name("ai-bridge")), *words], there / "folder", {**own, "HOME": str(there / "home")})


def _succeed(words: list[str]) -> None:
    """Run a command that must succeed; skip the test if it fails while no index of packages can be reached."""
    done = _run(words, Path("/"))
    if done.returncode and not _is_index_reached():
        pytest.skip("pip reaches no index of packages")
    assert done.returncode == 0, done.stdout + done.stderr


def _is_index_reached() -> bool:
    """Tell whether pip can get a distribution that is there for sure."""
    known = f"click=={metadata.version('click')}"
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--retries", "1", known]
        return _run(words, Path(folder)).returncode == 0


# --- what tests it elsewhere ------------------------------------------------------------------------------


def test_the_workflow_runs_the_readmes_test_command_on_each_system_and_python() -> None:
    (job,) = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    (command,) = re.findall(r"^(\./\S+) +# runs every test$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert commands == [command]
    assert job["strategy"]["matrix"] == {
        "system": ["ubuntu", "macos", "windows"],
        "python": ["3.11", "3.12", "3.13", "3.14"],
    }


# --- what the documents say -------------------------------------------------------------------------------


def test_the_page_on_machines_adds_the_extra_that_is_declared_and_nothing_names_an_index_that_has_no_ai_bridge() -> (
    None
):
    (wanted,) = PROJECT["optional-dependencies"]["nats"]
    assert f"pipx inject --force ai-bridge '{wanted}'" in (ROOT / "docs/machines.md").read_text()
    texts = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *PACKAGE.rglob("*.py"),
        *PACKAGE.rglob("*.md"),
        *(ROOT / "management").iterdir(),
    ]
    assert [path.name for path in texts if re.search(r"ai-bridge\[|install ai-bridge\b", path.read_text())] == []
