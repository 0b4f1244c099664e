"""`send.sh` beside another user who may write its outbox, and on a full disk: it opens nothing through a link."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ai_bridge.mailboxes.outbox import DROPPED
from ai_bridge.mailboxes.tree import Tree
from tests.support.checkout import ROOT
from tests.support.mail import states

SHELLS = {"dash": ["dash"], "bash": ["bash"], "busybox": ["busybox", "sh"]}
SECRET = "the victim's own\n" * 100
# The neighbour acts as a tool begins, at its call number $WHEN; then the tool does its work.
NEIGHBOUR = """#!/bin/sh
PATH=${PATH#*:}
calls=$(cat "$COUNT" 2>/dev/null || echo 0)
calls=$((calls + 1))
echo "$calls" >"$COUNT"
if [ "$calls" = "$WHEN" ]; then
    ACT
fi
exec TOOL "$@"
"""
SWAPS = {
    "a link": 'for file in "$TMP"/*.txt; do rm "$file"; ln -s "$VICTIM" "$file"; done',
    "the file itself": 'for file in "$TMP"/*.txt; do rm "$file"; ln "$VICTIM" "$file"; done',
    "a link to a new name": 'for file in "$TMP"/*.txt; do rm "$file"; ln -s "$VICTIM.new" "$file"; done',
}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    words = SHELLS[request.param]
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    return words


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of the sender's own."""
    path = tmp_path / "victim"
    path.write_text(SECRET)
    return path


def _send(where: Tree, shell: list[str], to: str = "gemini", **environment: str) -> str:
    """Send by that shell, which refuses in one line; returns the line."""
    words = [*shell, str(ROOT / "management/send.sh"), to, "s", "--from", "claude", "--mailboxes", where.path]
    done = subprocess.run(
        words,
        input=b"body\n" * 5_000,
        capture_output=True,
        env={**os.environ, **environment},
        check=False,
        timeout=60,
    )
    said = done.stderr.decode()
    assert (done.returncode, done.stdout, said.count("\n")) == (1, b"", 1)
    assert said.startswith("error: ")
    return said


def _neighbour(where: Tree, tmp_path: Path, tool: str, act: str, when: int, victim: Path) -> dict[str, str]:
    """Return an environment in which a neighbour acts as the tool begins for the `when`th time."""
    script = tmp_path / "bin" / tool
    script.parent.mkdir()
    script.write_text(NEIGHBOUR.replace("ACT", act).replace("TOOL", tool))
    script.chmod(0o755)
    outbox = where.outbox("claude")
    return {
        "PATH": f"{script.parent}:{os.environ['PATH']}",
        "COUNT": str(tmp_path / "count"),
        "WHEN": str(when),
        "TMP": outbox.temporary,
        "VICTIM": str(victim),
    }


@pytest.mark.parametrize("swap", SWAPS)
@pytest.mark.parametrize("when", [1, 2])
def test_a_file_swapped_while_it_is_written_harms_no_other_and_is_not_sent(
    where: Tree, tmp_path: Path, shell: list[str], victim: Path, swap: str, when: int
) -> None:
    where.make(["codex"])
    around = _neighbour(where, tmp_path, "dd", SWAPS[swap], when, victim)
    if swap == "the file itself":  # it is no link, and what it holds is refused by the router: it has no headers
        words = [*shell, str(ROOT / "management/send.sh"), "gemini,codex", "--from", "claude"]
        subprocess.run(
            [*words, "--mailboxes", where.path], input=b"body", capture_output=True, env={**os.environ, **around},
            check=False, timeout=60,
        )  # fmt: skip
    else:
        assert "was replaced" in _send(where, shell, "gemini,codex", **around)
        assert states(where, "claude") == {}
    assert Path(around["COUNT"]).read_text() == "2\n"
    assert victim.read_text() == SECRET
    assert not Path(f"{victim}.new").exists()


def test_no_body_is_read_from_what_was_put_in_the_place_of_the_first_file(
    where: Tree, tmp_path: Path, shell: list[str], victim: Path
) -> None:
    where.make(["codex"])
    swap = 'for file in "$TMP"/*.gemini.txt; do mv "$file" "$file.kept"; ln -s "$VICTIM" "$file"; done'
    around = _neighbour(where, tmp_path, "dd", swap, 2, victim)
    keep = Path(tmp_path, "bin", "rm")  # so that the copy can be looked at
    keep.write_text("#!/bin/sh\nexit 0\n")
    keep.chmod(0o755)
    _send(where, shell, "gemini,codex", **around)
    (copy,) = Path(where.outbox("claude").temporary).glob("*.codex.txt")
    assert copy.read_text().endswith("\n\n" + "body\n" * 5_000)
    assert SECRET not in copy.read_text()


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_link_in_the_place_of_tmp_is_refused(
    where: Tree, tmp_path: Path, shell: list[str], victim: Path, when: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    swap = f'rmdir "$TMP"; ln -s "{elsewhere}" "$TMP"'
    around = _neighbour(where, tmp_path, "date", swap, 1, victim)
    if when == "before":
        subprocess.run(["sh", "-c", swap], env={**os.environ, **around}, check=True)
        around["WHEN"] = "0"
    assert ".tmp is a symbolic link" in _send(where, shell, **around)
    assert list(elsewhere.iterdir()) == []


def test_a_link_in_the_place_of_the_outbox_is_refused(where: Tree, tmp_path: Path, shell: list[str]) -> None:
    outbox = Path(where.outbox("claude").path)
    outbox.rename(tmp_path / "elsewhere")
    outbox.symlink_to(tmp_path / "elsewhere")
    assert "there is no agent claude" in _send(where, shell)
    assert list((tmp_path / "elsewhere").glob("*.txt")) == []
    assert list((tmp_path / "elsewhere" / ".tmp").iterdir()) == []


@pytest.mark.parametrize("blocks", [0, 1])
def test_a_full_disk_is_told_in_one_line(where: Tree, shell: list[str], blocks: int) -> None:
    """No room for the headers, or none for the body: here by the largest file that a process may write."""
    limited = ["sh", "-c", f"trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"", "sh", *shell]
    assert "written" in _send(where, limited)
    assert states(where, "claude") == {}
    assert os.listdir(where.outbox("claude").temporary) == []


def test_a_tmp_that_cannot_be_made_is_told_in_one_line(where: Tree, shell: list[str]) -> None:
    os.rmdir(where.outbox("claude").temporary)
    Path(where.outbox("claude").temporary).write_text("a file")
    assert ".tmp cannot be made" in _send(where, shell)


@pytest.mark.skipif(shutil.which("busybox") is None, reason="busybox is not installed")
def test_it_needs_no_tools_but_those_of_busybox(where: Tree, tmp_path: Path) -> None:
    where.make(["codex"])
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "date", "dd", "mv", "sync", "rm", "mkdir"):
        (tools / name).symlink_to(str(shutil.which("busybox")))
    words = [tools / "sh", ROOT / "management/send.sh", "gemini,codex", "--from", "claude", "--mailboxes", where.path]
    done = subprocess.run(
        words, input=b"hello", capture_output=True, env={**os.environ, "PATH": str(tools)}, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    dropped = [Path(where.outbox("claude").file(DROPPED, name)) for name in states(where, "claude")[DROPPED]]
    assert [path.read_text().partition("\n\n")[2] for path in dropped] == ["hello", "hello"]
