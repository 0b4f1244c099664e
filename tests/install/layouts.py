"""JSON objects of any kind, and the layouts they are written in."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

# Characters that JSON text can hold and UTF-8 can write.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


OBJECTS = st.dictionaries(TEXT, VALUES, max_size=4)


LAYOUTS: list[dict[str, Any]] = [
    {},
    {"separators": (",", ":")},
    {"indent": 0},
    {"indent": 2, "ensure_ascii": False},
    {"indent": "\t"},
    {"indent": 4, "separators": (" ,", " : ")},
]
