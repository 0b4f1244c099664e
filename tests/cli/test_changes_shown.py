"""changes_shown: what install and uninstall print, for a person and for a program."""

from __future__ import annotations

import json

import pytest

from ai_bridge.cli import changes_shown
from ai_bridge.install.content import Whole
from ai_bridge.install.plan import Change, Piece

PIECE = Piece("gemini", "skill", "/h", "/h/x\x1b[31m", Whole(b""))
NEW = Change("install", "write", PIECE, None, b"", difference="+new\n", notes=("a note",))
CHANGED = Change("install", "change", PIECE, b"", b"", difference="+changed\n")


def test_the_content_of_a_new_file_is_shown_only_if_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    for with_new, shown in ((False, "+changed\n"), (True, "+new\n+changed\n")):
        changes_shown.show([NEW, CHANGED], False, with_new=with_new)
        assert capsys.readouterr().out == shown
    changes_shown.show([NEW, CHANGED], True, with_new=True)
    assert capsys.readouterr().out == ""


def test_a_person_is_told_in_a_line_and_a_program_in_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    changes_shown.report_done(NEW, "/b", False, ["a note"])
    assert capsys.readouterr().out == "gemini: written /h/x\\x1b[31m (before: /b)\ngemini: a note\n"
    changes_shown.report_done(CHANGED, None, True, [])
    found = json.loads(capsys.readouterr().out)
    assert (found["client"], found["action"], found["difference"]) == ("gemini", "changed", "+changed\n")


def test_lines_to_write_by_hand_and_clients_left_out_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    changes_shown.show_by_hand("a = 1\n", as_json=False)
    changes_shown.show_by_hand("a = 1\n", as_json=True)
    changes_shown.show_skipped("codex", as_json=False)
    assert capsys.readouterr().out.startswith("a = 1\ncodex: skipped, for it is not on this machine")
    changes_shown.show_skipped("codex", as_json=True)
    assert json.loads(capsys.readouterr().out) == {"client": "codex", "path": None, "action": "skipped"}
    changes_shown.show_failed(ValueError("no"))
    assert capsys.readouterr().err == "error: no\n"


def test_the_next_step_is_named_if_anything_was_installed(capsys: pytest.CaptureFixture[str]) -> None:
    changes_shown.show_next([])
    assert capsys.readouterr().out == ""
    changes_shown.show_next(["Claude Code", "Codex CLI"])
    assert capsys.readouterr().out.startswith("Next: restart Claude Code, Codex CLI. ")
