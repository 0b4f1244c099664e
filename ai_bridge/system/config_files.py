"""Files of configuration that belong to the user or to another program, and the lists of paths among them."""

import os

from ai_bridge.system import durable


def put_config(path: str, data: bytes, mode: int = 0o644) -> None:
    """Write `data` to `path` in the person's configuration; an existing file keeps its mode; raises OSError."""
    durable.make_directory(os.path.dirname(path), 0o755)
    mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else mode
    durable.replace_own(path, data, mode)


def remove_empty(directory: str, base: str) -> None:
    """Remove empty directories from `directory` upwards, below `base`; stop at one that is in use or is a link."""
    try:
        while directory != base and not os.path.islink(directory):
            durable.remove(directory)
            directory = os.path.dirname(directory)
    except OSError:
        return


def lines(path: str) -> list[bytes]:
    """Return the lines of a file, [] if there is none; raises OSError."""
    try:
        with open(path, "rb") as file:
            return file.read().split(b"\n")
    except (FileNotFoundError, NotADirectoryError):
        return []


def add_line(path: str, line: bytes) -> None:
    """Add a line to a file, durably; one that a power cut left incomplete is ended first. Raises OSError."""
    begun = lines(path)[-1:] not in ([], [b""])
    durable.make_directory(os.path.dirname(path))
    durable.append(path, b"\n" * begun + line + b"\n")
    durable.flush_files(os.path.dirname(path), [path])
    durable.flush_directory(os.path.dirname(path))


def on_one_line(path: str) -> bytes:
    """Return a path as a line of such a list holds it: escaped, so that it has no line break."""
    return os.fsencode(path).replace(b"%", b"%25").replace(b"\n", b"%0A")


def from_line(written: bytes) -> str:
    """Return the path that `on_one_line` wrote."""
    return os.fsdecode(written.replace(b"%0A", b"\n").replace(b"%25", b"%"))
