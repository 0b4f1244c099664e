"""urgency: three words in a header, of which the usual one is not written; any other word is as good as none."""

from __future__ import annotations

import pytest

from ai_bridge.errors import BridgeError
from ai_bridge.message import message, urgency
from ai_bridge.message.urgency import NEXT, NOW, QUIET, BadUrgency

HEAD = "ID: a-1\nFrom: claude\nTo: gemini\nSubject: s\n"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("", NEXT),
        ("Urgency: now\n", NOW),
        ("urgency: quiet\n", QUIET),
        ("Urgency: next\n", NEXT),
        ("Urgency: NOW\n", NEXT),
        ("Urgency: at once!\n", NEXT),
        ("Urgency:\n", NEXT),
    ],
)
def test_a_message_is_as_urgent_as_it_says_if_that_is_a_word_of_ours(line: str, found: str) -> None:
    assert urgency.urgency_of(message.parse(f"{HEAD}{line}\nx".encode())) == found


def test_only_what_is_not_usual_is_written() -> None:
    assert [urgency.header(text) for text in (NOW, NEXT, QUIET)] == [{"Urgency": "now"}, {}, {"Urgency": "quiet"}]


@pytest.mark.parametrize("text", ["", "soon", "Now", "now ", "x" * 1000])
def test_a_value_that_somebody_gave_is_one_of_three(text: str) -> None:
    with pytest.raises(BadUrgency) as refusal:
        urgency.header(text)
    assert str(refusal.value) == f"a message is urgent now, next or quiet, not {text[:80]!r}"
    assert isinstance(refusal.value, BridgeError)
    assert urgency.checked(QUIET) == QUIET
