"""The C library, met only where a move needs what Python does not offer."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

functions: "dict[str, Callable[..., int] | None]" = {}


def function(name: str) -> "Callable[..., int] | None":
    """Return a function of the C library; None where there is none of that name, or on another system."""
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


def check(result: int, *paths: str) -> None:
    """Raise the OSError that a call told of by its result, over one or two paths."""
    if result == 0:
        return
    import ctypes

    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), *([paths[0], None, paths[1]] if len(paths) > 1 else paths))
