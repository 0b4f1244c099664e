"""Text from strangers, made safe to show to a person; the files themselves are never altered."""

import time

# Joins emoji; harmless to a terminal, and text in many languages would break without it.
_ZERO_WIDTH_JOINER = "\u200d"


def printable(text: str, keep: str = "") -> str:
    r"""Return `text` with every character that could act on a terminal written as an escape.

    Control characters, line and paragraph separators, bidirectional and invisible marks and lone
    surrogates become `\x1b`, `\u202e` and the like; the characters in `keep` stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(ch if ch.isprintable() or ch in keep else _shown(ch) for ch in text)


def _shown(ch: str) -> str:
    import unicodedata

    if ch == _ZERO_WIDTH_JOINER or unicodedata.category(ch) in ("Zs", "Co", "Cn"):
        return ch
    return ch.encode("unicode_escape").decode("ascii")


def stamp(seconds: float) -> str:
    """Return seconds since the epoch as an RFC 3339 time in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def shorten(text: str, width: int) -> str:
    """Return `text` in at most `width` characters, the last of them an ellipsis where it was cut."""
    return text if len(text) <= width else text[: width - 1] + "…"


def abridge(text: str, width: int) -> str:
    """Return `text` in at most `width` characters, with an ellipsis for its middle where it was cut."""
    if len(text) <= width:
        return text
    end = width // 3
    return f"{text[: width - end - 1]}…{text[len(text) - end :]}"


def counted(number: int, noun: str) -> str:
    """Return `1 message`, `2 messages`: the number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
