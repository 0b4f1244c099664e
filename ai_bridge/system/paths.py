"""Questions about paths as they are written: nothing is looked up on the disk."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def is_within(path: str, folder: str) -> bool:
    """Tell whether `path` is the folder, or is in it; both are absolute and without `..`."""
    return os.path.join(path, "").startswith(os.path.join(folder, ""))


def upwards(folder: str) -> "Iterator[str]":
    """Yield an absolute path and all folders above it, the nearest first."""
    while True:
        yield folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return
        folder = parent
