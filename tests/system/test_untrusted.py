"""Reading: a file that its file server replaced is opened again, and a stale directory is asked for again."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ai_bridge.system import untrusted


class Failing:
    """Passes everything on to `os`; the first calls of one kind fail."""

    def __init__(self, name: str, number: int, times: int) -> None:
        self._name, self._number, self.left = name, number, times

    def __getattr__(self, name: str) -> object:
        real = getattr(os, name)
        if name != self._name:
            return real

        def call(*args: object, **kwargs: object) -> object:
            if self.left > 0:
                self.left -= 1
                raise OSError(self._number, os.strerror(self._number))
            return real(*args, **kwargs)

        return call


@pytest.mark.parametrize("call", ["open", "fstat", "read"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_stale_file_is_opened_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, times: int) -> None:
    path = tmp_path / "x.txt"
    path.write_text("hello")
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(untrusted, "os", Failing(call, errno.ESTALE, times))
    assert untrusted.read_file(str(path), 99) == b"hello"
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(("number", "times"), [(errno.ESTALE, 4), (errno.EIO, 1)])
def test_what_stays_stale_or_fails_otherwise_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, times: int
) -> None:
    path = tmp_path / "x.txt"
    path.write_text("hello")
    monkeypatch.setattr(untrusted, "os", Failing("read", number, times))
    with pytest.raises(OSError, match=os.strerror(number)):
        untrusted.read_file(str(path), 99)


def test_freshen_harms_nothing(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone", Path("/etc/passwd")):
        untrusted.freshen(str(path))
    assert untrusted.listed(str(tmp_path / "gone")) == []


def test_of_an_open_file_no_more_is_read_than_is_asked_for(tmp_path: Path) -> None:
    whole = os.urandom(3_000_000)
    (tmp_path / "f").write_bytes(whole)
    for limit in (0, 1, 1_048_576, 1_048_577, 2_999_999, 3_000_000, 5_000_000):
        with (tmp_path / "f").open("rb") as file:
            assert untrusted.read_at_most(file, limit) == whole[:limit]


def test_a_file_that_says_it_is_empty_is_read_to_its_end_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So are those of /proc; the limit may be far more than there is memory."""
    asked: list[int] = []

    def read(fd: int, count: int) -> bytes:
        asked.append(count)
        return b"".join([whole.pop(0)] if whole else [])

    whole = [b"a", b"b" * 100, b"c"]
    monkeypatch.setattr(untrusted.os, "read", read)
    assert untrusted.read_all(0, 0, 1 << 40) == b"a" + b"b" * 100 + b"c"
    assert max(asked) <= 1 << 20
