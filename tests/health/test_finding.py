"""One finding and one scale for all checks: what is said of it, and which of several is worst."""

from __future__ import annotations

import pytest

from ai_bridge.health import surroundings
from ai_bridge.health.finding import (
    DOCTOR_WORDS,
    HEALTH_WORDS,
    NOTE,
    OK,
    WRONG,
    Finding,
    install_command,
    worst,
)


@pytest.mark.parametrize(
    ("what", "fix", "sentence"),
    [
        ("no router", "", "no router"),
        ("no router", "ai-bridge start", "no router; `ai-bridge start`"),
        ("one is stuck: `ai-bridge restart`", "ai-bridge restart", "one is stuck: `ai-bridge restart`"),
        (
            "one is stuck: `ai-bridge restart`",
            "ai-bridge stop",
            "one is stuck: `ai-bridge restart`; `ai-bridge stop`",
        ),
    ],
)
def test_the_sentence_names_the_command_once(what: str, fix: str, sentence: str) -> None:
    assert Finding("router", WRONG, what, fix).sentence == sentence


def test_the_worst_of_no_findings_is_ok() -> None:
    assert worst([]) == OK


def test_the_worst_of_several_is_the_highest_level() -> None:
    assert worst(Finding("x", level, "") for level in (NOTE, WRONG, OK)) == WRONG


def test_each_level_has_its_word_in_both_commands_and_is_the_exit_code_of_health() -> None:
    assert list(zip((OK, NOTE, WRONG), DOCTOR_WORDS, HEALTH_WORDS, strict=True)) == [
        (0, "ok", "healthy"),
        (1, "note", "warning"),
        (2, "wrong", "critical"),
    ]


@pytest.mark.parametrize(("level", "counts"), [(OK, OK), (NOTE, NOTE), (WRONG, NOTE)])
def test_what_surrounds_the_mailboxes_is_a_warning_at_most(level: int, counts: int) -> None:
    assert surroundings.level([Finding("sync", level, "")]) == counts
    assert surroundings.level([]) == OK


def test_the_command_that_registers_again_names_the_scope_unless_it_is_the_users() -> None:
    assert install_command("codex") == "ai-bridge install codex"
    assert install_command("codex", "project") == "ai-bridge install codex --scope project"
