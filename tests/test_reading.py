"""Reading: a file server that replaced a file says so, and the new one is read; what it forgot it is asked for."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ai_bridge import reading


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
    monkeypatch.setattr(reading, "os", Failing(call, errno.ESTALE, times))
    assert reading.read_file(str(path), 99) == b"hello"
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(("number", "times"), [(errno.ESTALE, 4), (errno.EIO, 1)])
def test_what_stays_stale_or_fails_otherwise_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, times: int
) -> None:
    path = tmp_path / "x.txt"
    path.write_text("hello")
    monkeypatch.setattr(reading, "os", Failing("read", number, times))
    with pytest.raises(OSError, match=os.strerror(number)):
        reading.read_file(str(path), 99)


def test_freshen_harms_nothing(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone", Path("/etc/passwd")):
        reading.freshen(str(path))
    assert reading.listed(str(tmp_path / "gone")) == []
