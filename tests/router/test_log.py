"""The router's log: one line per record that no name can forge, JSON on request, and a file that rotates."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_bridge.mailboxes.outbox import DROPPED, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.log import LOGGER, open_log
from tests.support.command import command
from tests.support.mail import post, states

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture(autouse=True)
def _logger_as_it_was() -> Iterator[None]:
    before = LOGGER.handlers[:], LOGGER.level, LOGGER.propagate
    yield
    for handler in LOGGER.handlers:
        handler.close()
    LOGGER.handlers[:], LOGGER.level, LOGGER.propagate = before


def _fail() -> None:
    try:
        raise ZeroDivisionError("a defect")
    except ZeroDivisionError:
        LOGGER.exception("it failed")


def test_a_line_tells_when_how_grave_and_what(tmp_path: Path) -> None:
    open_log(str(tmp_path / "log"), as_json=False, max_bytes=10_000)
    LOGGER.warning("reject %s", "claude/a.txt")
    LOGGER.debug("not this")
    assert re.fullmatch(rf"{STAMP} WARNING reject claude/a\.txt\n", (tmp_path / "log").read_text())


def test_no_name_forges_a_line(tmp_path: Path) -> None:
    open_log(str(tmp_path / "log"), as_json=False, max_bytes=10_000)
    LOGGER.info("deliver %s", "a\n2026-01-01T00:00:00.000Z INFO forged\x1b[2J\udcff")
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert line.endswith("deliver a\\n2026-01-01T00:00:00.000Z INFO forged\\x1b[2J\\udcff")


def test_json_has_one_object_a_line_whatever_it_says(tmp_path: Path) -> None:
    open_log(str(tmp_path / "log"), as_json=True, max_bytes=10_000)
    step = {"verb": "reject", "sender": "claude", "file": "a\n\udcff.txt", "why": "no"}
    LOGGER.info("reject\n%s", "grüße", extra=step)
    _fail()
    first, second = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert re.fullmatch(STAMP, first.pop("time"))
    assert first == {"level": "INFO", "message": "reject\ngrüße", **step}
    assert (second["level"], second["message"]) == ("ERROR", "it failed")
    assert second["exception"].endswith("ZeroDivisionError: a defect")


def test_a_defect_is_logged_with_where_it_was(tmp_path: Path) -> None:
    open_log(str(tmp_path / "log"), as_json=False, max_bytes=10_000)
    _fail()
    assert "ERROR it failed\nTraceback (most recent call last):\n" in (tmp_path / "log").read_text()


def test_what_is_left_is_logged_on_request(tmp_path: Path) -> None:
    open_log(str(tmp_path / "log"), as_json=False, max_bytes=10_000, verbose=True)
    LOGGER.debug("leave claude/a.txt")
    assert "DEBUG leave claude/a.txt" in (tmp_path / "log").read_text()


def test_without_a_file_it_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    open_log(None, as_json=False, max_bytes=10_000)
    LOGGER.info("hello")
    assert re.fullmatch(rf"{STAMP} INFO hello\n", capsys.readouterr().err)


def test_opening_again_leaves_one_handler(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_log(None, as_json=False, max_bytes=10_000)
    open_log(None, as_json=False, max_bytes=10_000)
    LOGGER.info("once")
    assert capsys.readouterr().err.count("once") == 1
    assert LOGGER.propagate is False
    assert LOGGER.level == logging.INFO


# --- as the router does -----------------------------------------------------------------------------------


def test_the_log_of_a_router_rotates_and_keeps_three_older_ones(where: Tree, tmp_path: Path) -> None:
    for number in range(700):
        post(where, str(number))
    words = ("router", "--once", "--mailboxes", where.path, "--log", str(tmp_path / "log"))
    done = command(*words, AI_BRIDGE_LOG_BYTES="10000")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(states(where, "claude")[UNREAD]) == 700
    kept = {path.name: path.stat().st_size for path in tmp_path.glob("log*")}
    assert set(kept) == {"log", "log.1", "log.2", "log.3"}
    assert all(0 < size <= 10_000 for size in kept.values())


def test_a_router_logs_its_steps_in_json(where: Tree) -> None:
    id_ = post(where, "x")
    Path(where.outbox("claude").file(DROPPED, "n\x1b.txt")).write_text("no headers")
    done = command("router", "--once", "--json", "--mailboxes", where.path, AI_BRIDGE_SETTLE_S="0")
    entries = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(entry["level"], entry["verb"], entry["file"]) for entry in entries] == [
        ("INFO", "deliver", f"{id_}.gemini.txt"),
        ("WARNING", "reject", "n\x1b.txt"),
    ]
    assert list(entries[1]) == ["time", "level", "message", "verb", "sender", "file", "why"]
    assert entries[1]["why"].startswith("it has no header lines, and its name names no agent")
