"""Standard error that never fails: if it takes no more, the output is dropped and the command goes on."""

import io
import os
import sys

_STANDARD = range(3)


class _Forgiving(io.RawIOBase):
    """Descriptor 2, to which every write succeeds."""

    def write(self, data: "bytes | memoryview") -> int:  # type: ignore[override]
        """Write what the descriptor takes; ignore a full disk, a pipe that nobody reads and the like."""
        try:
            return os.write(2, data)
        except OSError:
            return len(data)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2

    def isatty(self) -> bool:
        return os.isatty(2)


def make_forgiving() -> None:
    """Replace `sys.stderr`, so that no output to it fails, neither now nor when the interpreter ends.

    Each closed standard descriptor (0 to 2) becomes the null device. Otherwise the next file that is opened would
    get its number, and output would be written into that file.
    """
    for fd in _STANDARD:
        try:
            os.fstat(fd)
        except OSError:  # the lowest number that is free: this one
            os.open(os.devnull, os.O_RDWR)
    encoding = sys.stderr.encoding if sys.stderr is not None else "utf-8"
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(_Forgiving()), encoding, errors="backslashreplace", line_buffering=True
    )
