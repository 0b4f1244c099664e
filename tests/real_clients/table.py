"""The table of what was seen with each client: written into docs/clients.md by a run of all tests with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tests.real_clients.software import PINNED
from tests.support.checkout import ROOT

PAGE = ROOT / "docs" / "clients.md"
BEGIN, END = "<!-- seen: begin -->\n", "<!-- seen: end -->\n"
# The name of a client in the tests, its own, and its package.
_COLUMNS = {
    "claude": ("Claude Code", "@anthropic-ai/claude-code"),
    "gemini": ("Gemini CLI", "@google/gemini-cli"),
    "codex": ("Codex CLI", "@openai/codex"),
}
_TEST = re.compile(r"::test_(\w+)\[(?:[^\]]*-)?(claude|gemini|codex)(?:-[^\]]*)?\]$")

# For each test, what was seen with each client.
Seen = dict[str, dict[str, str]]


def add(seen: Seen, node: str, outcome: str, measured: Mapping[str, object]) -> None:
    """Add the outcome of a test that ran with one client, and what it measured; other tests are left out."""
    if found := _TEST.search(node):
        figure = ", ".join(str(value) for value in measured.values())
        said = "yes" if outcome == "passed" else "no"
        seen.setdefault(found[1].replace("_", " "), {})[found[2]] = f"{said}, {figure}" if figure else said


def lines(seen: Seen) -> Iterable[str]:
    """Yield the lines of the table, in the order of the tests."""
    names = [f"{title} {PINNED[package]}" for title, package in _COLUMNS.values()]
    yield f"| seen | {' | '.join(names)} |\n"
    yield "|---" * (len(names) + 1) + "|\n"
    for what, found in seen.items():
        yield f"| {what} | {' | '.join(found.get(client, '') for client in _COLUMNS)} |\n"


def put(page: str, seen: Seen) -> str:
    """Return the page with this table between its two marks; raises ValueError if it lacks one."""
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{PAGE} has no place for the table")
    return f"{before}{BEGIN}{''.join(lines(seen))}{END}{after}"
