"""The terminal on which standard output is shown: whether there is one, its width, and how wide a text is on it."""

from __future__ import annotations

import shutil
import sys
import textwrap

# Before the first combining mark, each character takes one column. So do these.
_FIRST_MARK = "\u0300"
_NARROW = frozenset("→…—“”·")
# A width for a terminal that does not report one.
_USUAL = (80, 24)
# A terminal with fewer columns has no room for all that a table could show.
WIDE = 80


def is_shown() -> bool:
    """Tell whether standard output is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def columns() -> int:
    """Return the terminal's width in columns: that of the variable `COLUMNS`, else its own, else 80."""
    return shutil.get_terminal_size(_USUAL).columns


def width(text: str) -> int:
    """Return how many columns a printable text takes."""
    if _is_plain(text):
        return len(text)
    import wcwidth  # few texts need it, and it takes longer to import than all the rest takes to print

    return int(wcwidth.width(text))


def clipped(text: str, most: int) -> str:
    """Return a printable text in at most `most` columns; if it was cut, an ellipsis ends it."""
    if width(text) <= most:
        return text
    if most < 1:
        return ""
    if _is_plain(text):
        return f"{text[: most - 1]}…"
    import wcwidth

    return f"{wcwidth.clip(text, 0, most - 1).rstrip()}…"


def wrapped(line: str, most: int) -> list[str]:
    """Return one line of a text as lines of at most `most` columns, cut between words where that is possible."""
    if width(line) <= most:
        return [line]
    if _is_plain(line):
        parts = textwrap.wrap(line, most, break_on_hyphens=False, replace_whitespace=False)
    else:
        import wcwidth

        parts = wcwidth.wrap(line, most, break_on_hyphens=False, replace_whitespace=False)
    return [part.rstrip() for part in parts]


def _is_plain(text: str) -> bool:
    """Tell whether each character of the text takes one column."""
    return text.isascii() or all(ch < _FIRST_MARK or ch in _NARROW for ch in text)
