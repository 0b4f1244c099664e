"""How many tokens a text is for a model, by o200k_base, a vocabulary of OpenAI that the tokenizer's package holds."""

from __future__ import annotations

import json
import warnings
from functools import cache
from typing import Any


@cache
def _o200k() -> Any:
    with warnings.catch_warnings(action="ignore"):  # it opens its own files in a way that Python will drop
        from bpe_openai import get_encoding
    return get_encoding("o200k_base")


def tokens(sent: Any) -> int:
    """Return how many tokens a text has, or a value as compact JSON."""
    text = sent if isinstance(sent, str) else json.dumps(sent, separators=(",", ":"), ensure_ascii=False)
    return len(_o200k().encode(text))
