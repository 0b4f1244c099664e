"""The findings of `health` and `doctor`: one kind of finding, and one scale of levels."""

from __future__ import annotations

from collections.abc import Iterable

# The scale. `doctor` and `health` show the same levels in their own words. The levels are the exit codes of `health`.
OK, NOTE, WRONG = range(3)
DOCTOR_WORDS = ("ok", "note", "wrong")
HEALTH_WORDS = ("healthy", "warning", "critical")


class Finding:
    """One thing that was looked at.

    `where` names what was looked at ("hooks", ".processing"). `level` is OK, NOTE or WRONG. `what` is the sentence
    that says what was found. `fix` is the command that fixes it, or "" if none is needed or known.
    """

    __slots__ = ("fix", "level", "what", "where")

    def __init__(self, where: str, level: int, what: str, fix: str = "") -> None:
        self.where = where
        self.level = level
        self.what = what
        self.fix = fix

    @property
    def sentence(self) -> str:
        """`what`, with the command that fixes it unless `what` names that command."""
        return self.what if not self.fix or f"`{self.fix}`" in self.what else f"{self.what}; `{self.fix}`"


def worst(findings: Iterable[Finding]) -> int:
    """Return the highest level among the findings, OK if there are none."""
    return max((finding.level for finding in findings), default=OK)


def install_command(client: str, scope: str = "user") -> str:
    """Return the command that registers a client again."""
    return f"ai-bridge install {client}" + (f" --scope {scope}" if scope != "user" else "")
