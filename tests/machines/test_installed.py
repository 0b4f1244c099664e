"""The package that a process began with, and the one that took its place; a router starts again with that one."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from ai_bridge import __version__
from ai_bridge.machines import installed
from ai_bridge.machines.installed import Installed, NotWhole
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system.locks import holder
from tests.support.mail import post, states
from tests.support.package import NEW, Package
from tests.support.votes import answer, propose
from tests.support.wait import until

# --- what is seen -----------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path) -> Package:
    made = Package(tmp_path / "lib")
    made.install()
    return made


def test_what_was_installed_instead_is_seen(package: Package) -> None:
    here = Installed(str(package.folder))
    assert (here.successor(), here.change()) == (None, "")
    package.install(NEW)
    assert (here.successor(), here.change()) == (NEW, f"ai-bridge was updated to {NEW}")
    package.install()
    assert (here.successor(), here.change()) == (__version__, f"ai-bridge {__version__} was installed again")
    package.remove()
    assert (here.successor(), here.change()) == ("", "ai-bridge was removed, or is being replaced,")
    assert Installed(str(package.folder)).successor() is None


def test_what_was_installed_before_the_first_look_is_seen_by_its_version(package: Package) -> None:
    package.install(NEW)
    assert Installed(str(package.folder)).successor() == NEW


def test_an_edit_of_another_file_is_no_installation(package: Package) -> None:
    here = Installed(str(package.folder))
    (package.folder / "text.py").write_text("edited\n")
    os.unlink(package.folder / "errors.py")
    assert here.successor() is None


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe__version__", b"version = 1\n", b"__version__\n"])
def test_a_package_without_a_version_counts_as_gone(package: Package, raw: bytes) -> None:
    here = Installed(str(package.folder))
    (package.folder / "__init__.py").write_bytes(raw)
    assert here.successor() == ""


def test_an_installation_counts_once_it_is_quiet(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(installed.time, "monotonic", lambda: now)
    here = Installed(str(package.folder))
    assert here.settled_successor() is None
    package.install("9.8")
    assert here.settled_successor() is None
    now += 1.9
    package.install(NEW)
    assert here.settled_successor() is None
    now += 1.9
    assert here.settled_successor() is None
    now += 0.1
    assert here.settled_successor() == NEW


def test_a_process_that_loaded_modules_of_two_versions_is_refused(package: Package) -> None:
    here = Installed(str(package.folder))
    package.install(NEW)
    with pytest.raises(NotWhole, match=f"ai-bridge was updated to {NEW} while this process started"):
        here.load()


# --- a router ---------------------------------------------------------------------------------------------


class Running:
    """A router of these mailboxes that runs from the package."""

    def __init__(self, package: Package, where: Tree, log: Path) -> None:
        words = [*package.words, "router", "--mailboxes", where.path]
        self.where, self.log = where, log
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stderr=errors, env=package.environment(AI_BRIDGE_SWEEP_S="0.1")
            )

    def is_ready(self) -> bool:
        found = holder(self.where.lock_file("router", "claude"))
        return found is not None and found.ready and found.pid == self.process.pid

    def said(self, words: str) -> int:
        """Return how many lines of the log hold these words."""
        return sum(words in line for line in self.log.read_text().splitlines())

    def delivers(self) -> bool:
        post(self.where, "hello")
        until(lambda: not {"dropped", "processing"} & states(self.where, "claude").keys())
        return "unread" in states(self.where, "claude")

    def ends(self) -> bool:
        """End it as `ai-bridge stop` does; tell whether it ended well."""
        self.process.terminate()
        return self.process.wait(20) == 0 and holder(self.where.lock_file("router", "claude")) is None


@pytest.fixture
def router(package: Package, where: Tree, tmp_path: Path, processes: list[subprocess.Popen[bytes]]) -> Running:
    running = Running(package, where, tmp_path / "log")
    processes.append(running.process)
    until(running.is_ready)
    assert running.delivers()
    return running


@pytest.mark.real_start
def test_a_router_starts_again_with_the_version_that_was_installed(package: Package, router: Running) -> None:
    package.install(NEW)
    package_file = package.folder / "router/recover.py"
    os.rename(package_file, package.folder / "router/recovery.py")
    for path in package.folder.rglob("*.py"):
        path.write_text(path.read_text().replace("router.recover import", "router.recovery import"))
    until(lambda: router.said(f"ai-bridge {NEW} was installed: the router starts again with it") == 1)
    until(lambda: router.said(f"started, pid {router.process.pid}") == 2)
    until(router.is_ready)
    assert router.delivers()
    assert router.ends()
    assert not router.said("Traceback")
    assert router.said("starts again") == 1


@pytest.mark.real_start
def test_a_router_goes_on_if_the_new_version_does_not_start(package: Package, router: Running) -> None:
    package.install_other()
    until(lambda: router.said(f"ai-bridge {NEW} is installed, but does not start") == 1)
    assert router.said("ModuleNotFoundError") == 1
    where = router.where
    where.make(["codex"])
    thread = propose(where, ["gemini"], ["gemini", "codex"])
    answer(where, thread, "gemini", "[CONTINUE] no")
    until(lambda: len(states(where, "gemini").get("unread", [])) == 1)
    assert router.delivers()
    assert router.is_ready()
    assert router.ends()
    assert not router.said("Traceback")


@pytest.mark.real_start
def test_a_router_whose_package_was_removed_goes_on_until_it_is_ended(package: Package, router: Running) -> None:
    package.remove()
    assert router.delivers()
    until(lambda: router.process.poll() is None)
    assert router.ends()
    assert not router.said("Traceback")
    assert not router.said("ERROR")


# --- a wait -----------------------------------------------------------------------------------------------


def is_asleep(package: Package, pid: int) -> bool:
    """Tell whether a process has loaded the last modules, and sleeps."""
    last = [package.folder / "sending/__pycache__", package.folder / "system/__pycache__"]
    names = [one.name.partition(".")[0] for folder in last for one in folder.glob("*.pyc")]
    states = []
    for _ in range(5):
        states.append(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0])
        time.sleep(0.005)
    return {"await_read", "yaml_handler"} <= set(names) and states == ["S"] * 5


@pytest.mark.real_start
@pytest.mark.parametrize("options", [[], ["--new"]])
def test_a_wait_that_has_slept_while_the_package_was_replaced_reports_its_mail(
    package: Package, where: Tree, processes: list[subprocess.Popen[bytes]], options: list[str]
) -> None:
    words = [*package.words, "wait", "--agent", "gemini", "--mailboxes", where.path, *options]
    environment = package.environment(PYTHONDONTWRITEBYTECODE="")
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    processes.append(process)
    until(lambda: is_asleep(package, process.pid))
    package.install_other()
    post(where, "hello")
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, b"")
    assert b"claude" in output
