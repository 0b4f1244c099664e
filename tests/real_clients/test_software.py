"""Installing the clients: once, within a time limit; if that fails, a line gives the reason."""

from __future__ import annotations

import fcntl
import os
import re
import sys
from pathlib import Path

import pytest

from tests.real_clients import software
from tests.support.wait import until

NPM = """#!{python}
import json, os, pathlib
with open("{log}", "a") as log:
    log.write("ran\\n")
for name, version in json.load(open("package.json"))["dependencies"].items():
    folder = pathlib.Path("node_modules", name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(json.dumps({{"version": "{newest}" if version == "latest" else version}}))
pathlib.Path("node_modules/.bin").mkdir(exist_ok=True)
for name in ("node", "claude", "gemini", "codex"):
    path = pathlib.Path("node_modules/.bin", name)
    path.write_text("#!/bin/sh\\necho 1\\n")
    path.chmod(0o755)
"""


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An npm to be written by the test, the only one there is."""
    (tmp_path / "bin").mkdir()
    path = os.pathsep.join([str(tmp_path / "bin"), "/usr/bin", "/bin"])
    monkeypatch.setattr(software, "_ENVIRONMENT", {"PATH": path, "HOME": str(tmp_path)})
    return tmp_path / "bin" / "npm"


def _written(npm: Path, script: str) -> None:
    npm.write_text(script)
    npm.chmod(0o755)


def _npm(log: Path, newest: str = "9.9.9") -> str:
    return NPM.format(python=sys.executable, log=log, newest=newest)


def test_what_is_installed_is_not_installed_again(npm: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    _written(npm, _npm(log))
    first = software.install(tmp_path / "clients")
    assert (first / "claude").exists()
    ran = log.read_text()
    assert software.install(tmp_path / "clients") == first
    assert log.read_text() == ran


def test_what_was_not_installed_to_the_end_is_installed_again(npm: Path, tmp_path: Path) -> None:
    _written(npm, _npm(tmp_path / "log"))
    commands = software.install(tmp_path / "clients")
    (commands / "gemini").unlink()
    assert (software.install(tmp_path / "clients") / "gemini").exists()


def test_every_version_is_exact(npm: Path, tmp_path: Path) -> None:
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in software.PINNED.values())
    _written(npm, _npm(tmp_path / "log"))
    software.install(tmp_path / "clients")
    assert software.installed(tmp_path / "clients") == software.PINNED


def test_other_versions_than_those_pinned_are_replaced(npm: Path, tmp_path: Path) -> None:
    _written(npm, _npm(tmp_path / "log"))
    software.install(tmp_path / "clients")
    (tmp_path / "clients/node_modules/@openai/codex/package.json").write_text('{"version": "0.1.0"}')
    software.install(tmp_path / "clients")
    assert software.installed(tmp_path / "clients") == software.PINNED


def test_the_newest_have_a_folder_of_their_own_and_are_asked_for_each_time(
    npm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(software._ENVIRONMENT, "AI_BRIDGE_CLIENTS", str(tmp_path / "clients"))
    pinned = software.folder()
    assert pinned == tmp_path / "clients"
    log = tmp_path / "log"
    for newest in ("8.0.0", "9.9.9"):
        _written(npm, _npm(log, newest))
        assert software.main(["--latest"]) == 0
        said = capsys.readouterr().out
        assert f"@openai/codex: {software.PINNED['@openai/codex']} -> {newest}" in said
        assert "node:" not in said
    ran = log.read_text()
    software.install(software.folder())  # as the tests do: they take what is there
    assert (log.read_text(), software.folder().name) == (ran, "clients-latest")
    assert not pinned.exists()


def test_it_is_said_if_nothing_is_newer() -> None:
    assert software.changes(software.PINNED) == ["no client has a newer release than the pinned one"]


def test_a_failure_is_told_in_the_words_of_npm(npm: Path, tmp_path: Path) -> None:
    _written(npm, "#!/bin/sh\necho 'npm error network: no route'\necho more\nexit 1\n")
    with pytest.raises(software.NotInstalled, match=r"`npm install` failed: npm error network: no route"):
        software.install(tmp_path / "clients")


def test_an_npm_that_hangs_is_ended_with_all_it_started(npm: Path, tmp_path: Path) -> None:
    _written(npm, f"#!/bin/sh\nsleep 300 &\necho $! >{tmp_path}/pid\nwait\n")
    with pytest.raises(software.NotInstalled, match="longer than the time there is"):
        software.install(tmp_path / "clients", limit_s=1.0)
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not _is_running(pid))  # killed it is; the kernel may take a moment to end it


def test_two_take_turns(npm: Path, tmp_path: Path) -> None:
    _written(npm, _npm(tmp_path / "log"))
    (tmp_path / "clients").mkdir()
    with (tmp_path / "clients" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(software.NotInstalled, match="another process"):
            software.install(tmp_path / "clients", limit_s=0.3)
    assert software.install(tmp_path / "clients")


def test_the_cache_is_the_person_s_unless_a_folder_is_named() -> None:
    assert software.folder({"HOME": "/home/one"}) == Path("/home/one/.cache/ai-bridge/clients")
    assert software.folder({"HOME": "/home/one", "XDG_CACHE_HOME": "/c"}) == Path("/c/ai-bridge/clients")
    assert software.folder({"HOME": "/home/one", "AI_BRIDGE_CLIENTS": "/there"}) == Path("/there")


def _is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
