"""Mail between AI coding assistants, as plain text files that move atomically from state to state.

`Mailboxes`, `Agent`, `Message`, `Sent`, `Settings` and `BridgeError` are the Python API (see docs/python.md). Each is
imported at its first use.
"""

__version__ = "0.2.0.dev0"
__all__ = ["Agent", "BridgeError", "Mailboxes", "Message", "Sent", "Settings"]
_MODULES = {"BridgeError": "errors", "Settings": "settings"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # most programs import a module of the package, and none of these names

    found = getattr(importlib.import_module(f"{__name__}.{_MODULES.get(name, 'api')}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
