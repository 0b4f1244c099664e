"""The header Expires: a time in UTC, and an ID that says so."""

from __future__ import annotations

import time

import pytest

from ai_bridge.message import expiry, ids
from ai_bridge.message.expiry import BadExpiry, Expired
from ai_bridge.message.message import Message
from ai_bridge.system import times

ID = "claude-20260103-000000-000000-xaaaa"


def _message(text: str | None, id_: str = ID) -> Message:
    return Message({"ID": id_, **({} if text is None else {"Expires": text})}, "")


@pytest.mark.parametrize(
    ("id_", "may"),
    [
        *((ID, True), ("claude-2-20260103-000000-000000-x9zz0", True)),
        *((ID.replace("-x", "-"), False), (ID.replace("-x", "-y"), False), ("xaaaa", False), ("n1-xaaaa", False)),
    ],
)
def test_an_id_says_whether_its_message_may_expire(id_: str, may: bool) -> None:
    assert ids.may_expire(id_) is may


def test_a_made_id_says_so_and_another_does_not(tmp_path: object) -> None:
    issue = ids.Issue(f"{tmp_path}/memory", "claude")
    for _ in range(200):
        assert (ids.may_expire(issue.next(expires=True)[1]), ids.may_expire(issue.next()[1])) == (True, False)


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00+01:00", "", "2h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BadExpiry, match="write one in UTC, such as 2026-11-22T03:24:05Z"):
        expiry.check(_message(text))
    assert not expiry.is_over(_message(text))


def test_a_time_is_taken_with_any_id() -> None:
    expiry.check(_message("2026-01-01T00:00:00Z", "n1"))
    expiry.check(_message("2026-01-01T00:00:00.5Z"))
    expiry.check(_message(None, "n1"))


def test_what_is_over_is_not_given_out() -> None:
    with pytest.raises(Expired, match="its time is over"):
        expiry.unexpired(_message("2026-01-01T00:00:00Z"))
    message = _message("2999-01-01T00:00:00Z")
    assert expiry.unexpired(message) is message


def test_it_is_over_by_the_clock() -> None:
    now = time.time()
    assert expiry.is_over(_message(times.format_utc(now - 1)))
    assert not expiry.is_over(_message(times.format_utc(now + 60)))
    assert not expiry.is_over(_message(None))
    assert not expiry.is_over(_message(expiry.header(60)["Expires"]))
    assert expiry.is_over(_message(expiry.header(0)["Expires"]))
