"""Functions of the C library, loaded only if a move needs what Python does not offer."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

functions: "dict[str, Callable[..., int] | None]" = {}


def find_function(name: str) -> "Callable[..., int] | None":
    """Return a function of the C library; None if it has none of that name, or the system is not Linux."""
    if name not in functions:
        functions[name] = _load(name) if sys.platform.startswith("linux") else None
    return functions[name]


def _load(name: str) -> "Callable[..., int] | None":
    try:
        import ctypes

        library = ctypes.CDLL(None, use_errno=True)
        found: Callable[..., int] | None = getattr(library, name, None)
    except (ImportError, OSError):
        return None
    return found


def check_result(result: int, *paths: str) -> None:
    """Raise the OSError of a call that failed (its `result` is not 0), with the one or two paths it was about."""
    if result == 0:
        return
    import ctypes

    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), *([paths[0], None, paths[1]] if len(paths) > 1 else paths))
