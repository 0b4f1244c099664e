"""Times as text and back: each form as it is written, read again as the same time, and bad input told apart."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_bridge.errors import BadDuration
from ai_bridge.system import times
from ai_bridge.text import printable
from tests.support.checkout import ROOT

# 2026-11-22T03:24:05.271828Z
MOMENT_S = 1_795_317_845
MOMENT_NS = MOMENT_S * 1_000_000_000 + 271_828_182
STAMP = "20261122032405271828"
LAST_S = 253_402_300_799

whole_seconds = st.integers(0, LAST_S)
microseconds = st.integers(0, LAST_S * 1_000_000 + 999_999)


def test_a_date_has_whole_seconds_or_the_fraction_it_is_given() -> None:
    assert times.format_utc(MOMENT_S) == "2026-11-22T03:24:05Z"
    assert times.format_utc(MOMENT_S + 0.999) == "2026-11-22T03:24:05Z"
    assert times.format_utc(MOMENT_S + 0.271828, "271") == "2026-11-22T03:24:05.271Z"
    assert times.format_utc(MOMENT_S, "000001") == "2026-11-22T03:24:05.000001Z"


def test_a_stamp_has_microseconds_and_cuts_off_what_is_less() -> None:
    assert times.format_stamp(MOMENT_NS) == STAMP
    assert times.format_stamp(0) == "19700101000000000000"
    assert times.format_stamp(999) == "19700101000000000000"


def test_a_stamp_becomes_a_date_with_its_microseconds() -> None:
    assert times.stamp_to_date(STAMP) == "2026-11-22T03:24:05.271828Z"


@given(whole_seconds)
def test_a_date_is_read_as_it_was_written(moment: int) -> None:
    assert times.parse_utc(times.format_utc(moment)) == moment


@given(microseconds)
def test_a_stamp_is_read_as_it_was_written(moment: int) -> None:
    stamp = times.format_stamp(moment * 1000)
    assert len(stamp) == times.STAMP_DIGITS
    assert times.parse_stamp(stamp) == moment // 1_000_000 + moment % 1_000_000 / 1e6
    assert times.date_to_stamp(times.stamp_to_date(stamp)) == stamp


@given(microseconds, microseconds)
def test_stamps_sort_as_their_times_do(one: int, other: int) -> None:
    assert (times.format_stamp(one * 1000) < times.format_stamp(other * 1000)) == (one < other)


@pytest.mark.parametrize(
    ("date", "stamp"),
    [
        ("2026-11-22T03:24:05Z", "20261122032405000000"),
        ("2026-11-22T03:24:05.5Z", "20261122032405500000"),
        ("2026-11-22T03:24:05.271828Z", STAMP),
    ],
)
def test_a_date_may_have_any_fraction_up_to_microseconds(date: str, stamp: str) -> None:
    assert times.date_to_stamp(date) == stamp


NO_DATES = [
    "",
    "Z",
    "now",
    "2026-11-22",
    "2026-11-22 03:24:05Z",
    "2026-11-22T03:24:05",
    "2026-11-22T03:24:05+01:00",
    "2026-13-22T03:24:05Z",
    "2026-02-30T03:24:05Z",
    "2026-11-22T24:00:00Z",
    "\0",
]


@pytest.mark.parametrize("text", [*NO_DATES, "2026-11-22T03:24:05.5Z", None, 5, [], {}, b"2026-11-22T03:24:05Z"])
def test_what_is_no_date_of_whole_seconds_is_the_time_0(text: object) -> None:
    assert times.parse_utc(text) == 0.0


@pytest.mark.parametrize("text", [*NO_DATES, "2026-11-22T03:24:05.2718281Z"])
def test_what_is_no_date_has_no_stamp(text: str) -> None:
    with pytest.raises(ValueError, match="no time in UTC"):
        times.date_to_stamp(text)


@pytest.mark.parametrize(
    "stamp",
    [
        *("", "now", STAMP[:14], STAMP[:-1], f"{STAMP}0", f"-{STAMP[1:]}", f"{STAMP[:-1]}x", f"{STAMP[:-1]}²"),
        *("20261322032405271828", "20260230032405271828", "20261122240000271828", "00000000000000000000"),
    ],
)
def test_what_is_no_stamp_is_refused(stamp: str) -> None:
    with pytest.raises(ValueError, match="no time in UTC"):
        times.parse_stamp(stamp)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (86_399, "23 h"), (180_000, "2 d")],
)
def test_a_time_span_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert times.age(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "just now"), (0.9, "just now"), (1, "1 s ago"), (300, "5 min ago"), (180_000, "2 d ago")],
)
def test_a_moment_is_said_to_be_so_long_ago(seconds: float, said: str) -> None:
    assert times.ago(seconds) == said


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("90s", 90), ("90m", 5400), ("2h", 7200), ("30d", 2_592_000), ("007m", 420)]
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert times.parse_duration(text, "--since") == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2",
        "h",
        "2 h",
        "-2h",
        "+2h",
        "1.5h",
        "2H",
        "2min",
        "2w",
        "2h30m",
        "²h",
        "٣h",
        "2h\n",
        "1234567890s",
        "nan",
    ],
)
def test_no_other_text_is_a_duration_and_the_refusal_says_where_it_was(text: str) -> None:
    with pytest.raises(BadDuration) as refusal:
        times.parse_duration(text, "--since")
    assert str(refusal.value).startswith(f"--since: {printable(text)!r} is no duration: give a whole number")
    assert "90m, 2h or 30d" in str(refusal.value)


def test_a_moment_so_long_ago_has_a_stamp_and_the_longest_ago_is_the_epoch() -> None:
    before = time.time_ns()
    earlier = times.parse_stamp(times.stamp_before(3600))
    assert before / 1e9 - 3600 - 1e-3 <= earlier <= time.time_ns() / 1e9 - 3600 + 1e-3
    assert times.stamp_before(1e12) == "19700101000000000000"


@pytest.mark.parametrize(
    ("zone", "minute"), [("UTC0", "2026-11-22 03:24"), ("CET-1", "2026-11-22 04:24"), ("EST5", "2026-11-21 22:24")]
)
def test_a_local_time_is_that_of_the_zone(zone: str, minute: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert times.local_minute(MOMENT_S) == minute
    finally:
        monkeypatch.undo()
        time.tzset()


def test_formatting_loads_nothing_of_the_standard_library() -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); before = set(sys.modules)\n"
        "from ai_bridge.system import times\n"
        "times.format_stamp(0), times.format_utc(0)\n"
        "print([name for name in sys.modules if name not in before and not name.startswith('ai_bridge')])"
    )
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, check=True)
    assert done.stdout == b"[]\n"


@pytest.mark.parametrize(
    ("text", "whole", "minute"),
    [
        ("2026-11-22T03:24:05.271828Z", "2026-11-22T03:24:05Z", "2026-11-22 03:24Z"),
        ("2026-11-22T03:24:05Z", "2026-11-22T03:24:05Z", "2026-11-22 03:24Z"),
        ("yesterday.5Z", "yesterday.5Z", ""),
        ("2026-13-22T03:24:05.2Z", "2026-13-22T03:24:05.2Z", ""),
        ("2026-11-22T03:24:05.2+01:00", "2026-11-22T03:24:05.2+01:00", ""),
        ("", "", ""),
    ],
)
def test_a_date_is_shortened_and_any_other_text_is_left_as_it_is(text: str, whole: str, minute: str) -> None:
    assert (times.without_fraction(text), times.to_minute(text)) == (whole, minute)
