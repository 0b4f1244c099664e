"""Standard error that costs nothing: if it takes no more, what was written is dropped and the command goes on."""

import io
import os
import sys

_STANDARD = range(3)


class _Forgiving(io.RawIOBase):
    """Descriptor 2, and every write to it is a success."""

    def write(self, data: "bytes | memoryview") -> int:  # type: ignore[override]
        """Write what the descriptor takes; a full disk, a pipe that nobody reads and the like are passed over."""
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
    """Have nothing that is printed on standard error fail, neither now nor when the interpreter ends.

    A standard descriptor that was closed becomes the null device. Otherwise the next file that is opened would get
    its number, and what is printed would be written into that file.
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
