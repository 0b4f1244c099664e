"""What a check finds: how well it is, and the one command that mends it."""

from __future__ import annotations

OK, NOTE, WRONG = LEVELS = ("ok", "note", "wrong")


class Finding:
    """One check of a client: its `level`, what was found, and the command that mends it ('' where none is needed)."""

    __slots__ = ("check", "client", "found", "level", "mend")

    def __init__(self, client: str, check: str, level: str, found: str, mend: str = "") -> None:
        self.client = client
        self.check = check
        self.level = level
        self.found = found
        self.mend = mend

    def as_json(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in ("client", "check", "level", "found", "mend")}


def mending(client: str, scope: str = "user") -> str:
    """Return the command that registers a client anew."""
    return f"ai-bridge install {client}" + (f" --scope {scope}" if scope != "user" else "")
