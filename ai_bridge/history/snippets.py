"""The place in a text where the words of a search were found, with some text around it.

Words are compared as the index compares them: without regard to case and diacritics.
"""

from __future__ import annotations

import re
import unicodedata

from ai_bridge.history.search import TERM

# Characters of a word: as the index sees it, an underscore is none.
_LETTER, _OTHER = r"[^\W_]", r"[\W_]"
_LONGEST = 70

# A text in its parts, each with whether it is a word that was searched for.
Snippet = list[tuple[str, bool]]


def pattern(words: str) -> re.Pattern[str] | None:
    """Return what finds the words of a search (`Query.words`) for `cut`; None if there are no words."""
    ways = [way for term in TERM.findall(words) if (way := _way(term))]
    return re.compile("|".join(sorted(ways, key=len, reverse=True))) if ways else None


def _way(term: str) -> str:
    tokens = re.findall(f"{_LETTER}+", _folded(term)[0])
    if not tokens:
        return ""
    rest = f"{_LETTER}*" if term.endswith("*") else f"(?!{_LETTER})"
    return f"(?<!{_LETTER})" + f"{_OTHER}+".join(tokens) + rest


def cut(text: str, wanted: re.Pattern[str] | None, longest: int = _LONGEST) -> Snippet:
    """Return the line with the first word that is found, or some `longest` characters of it; [] if none is found."""
    folded, places = _folded(text)
    found = wanted.search(folded) if wanted else None
    if found is None:
        return []
    at = places[found.start()]
    begin, end = _window(text, at, longest)
    parts = _parts(text[begin:end], wanted)
    if not any(is_word for _, is_word in parts):  # a phrase on two lines, or a word that is longer than the piece
        last = min(end, places[found.end() - 1] + 1)
        parts = [(text[begin:at], False), (text[at:last], True), (text[last:end], False)]
    return _ended(text, begin, end, [part for part in parts if part[0]])


def marked(text: str, wanted: re.Pattern[str] | None) -> Snippet:
    """Return the whole text in its parts."""
    return _parts(text, wanted)


def _window(text: str, at: int, longest: int) -> tuple[int, int]:
    """Return where the piece of the line around a place begins and ends; blanks at its ends are left out."""
    begin = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at) if "\n" in text[at:] else len(text)
    if end - begin > longest:
        first = max(begin, min(at - longest // 3, end - longest))
        begin, end = first, first + longest
    piece = text[begin:end]
    return begin + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())


def _ended(text: str, begin: int, end: int, parts: Snippet) -> Snippet:
    """Return the parts with an ellipsis at each end where the line goes on."""
    before = text[text.rfind("\n", 0, begin) + 1 : begin].strip()
    after = text[end:].partition("\n")[0].strip()
    return [("…", False)] * bool(before) + parts + [("…", False)] * bool(after)


def _parts(text: str, wanted: re.Pattern[str] | None) -> Snippet:
    folded, places = _folded(text)
    parts, done = [], 0
    for found in wanted.finditer(folded) if wanted else ():
        begin, end = places[found.start()], places[found.end() - 1] + 1
        parts += [(text[done:begin], False), (text[begin:end], True)]
        done = end
    return [part for part in [*parts, (text[done:], False)] if part[0]]


def _folded(text: str) -> tuple[str, list[int] | range]:
    """Return the text in lower case without diacritics, and for each of its characters the place in `text`."""
    if text.isascii():
        return text.lower(), range(len(text))
    plain = [ch.lower() if ch.isascii() else _plain(ch) for ch in text]
    return "".join(plain), [place for place, letters in enumerate(plain) for _ in letters]


def _plain(ch: str) -> str:
    return "".join(part for part in unicodedata.normalize("NFD", ch) if not unicodedata.combining(part)).lower()
