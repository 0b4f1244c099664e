"""Rows as lines of aligned columns that fit a width."""

from __future__ import annotations

from typing import NamedTuple

import click

from ai_bridge.cli.screen import terminal

_GAP = "  "
# A column is narrowed to so many columns of the terminal as long as another is wider.
_LEAST = 8


class Cell(NamedTuple):
    """A printable text, and how it looks."""

    text: str
    bold: bool | None = None
    dim: bool | None = None
    colour: str | None = None


def lines(rows: list[list[Cell]], elastic: tuple[int, ...], most: int) -> list[str]:
    """Return one line of at most `most` columns per row; a column that is empty in all rows is left out.

    The columns with the numbers `elastic` are narrowed if there is too little room, the widest first. If nothing is
    left of them and that is not enough, all but the first are narrowed.
    """
    if not rows:
        return []
    widths = [max(map(terminal.width, (cell.text for cell in column))) for column in zip(*rows, strict=True)]
    room = most + len(_GAP) - sum(width + len(_GAP) for width in widths if width)
    room = _narrow(widths, list(elastic), _LEAST, room)
    room = _narrow(widths, list(elastic), 1, room)
    _narrow(widths, list(range(1, len(widths))), 1, room)
    return [_line([(cell, width) for cell, width in zip(row, widths, strict=True) if width]) for row in rows]


def _narrow(widths: list[int], chosen: list[int], least: int, room: int) -> int:
    """Narrow the widest of the columns `chosen`, changing `widths`, until there is room; returns the room then."""
    while room < 0 and (widest := max(chosen, key=widths.__getitem__, default=None)) is not None:
        if widths[widest] <= least:
            break
        widths[widest] -= 1
        room += 1
    return room


def _line(cells: list[tuple[Cell, int]]) -> str:
    return _GAP.join(_shown(cell, width) for cell, width in cells).rstrip()


def _shown(cell: Cell, width: int) -> str:
    text = terminal.clipped(cell.text, width)
    blank = " " * (width - terminal.width(text))
    return styled(text, cell) + blank


def styled(text: str, cell: Cell) -> str:
    """Return a text that looks as the cell does."""
    look = (cell.bold, cell.dim, cell.colour)
    return text if not text or look == (None, None, None) else click.style(text, cell.colour, None, *look[:2])
