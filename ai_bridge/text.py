"""Text from strangers, made safe to show to a person; the files themselves are never altered."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_JOINER = "\u200d"
# These choose how the character before them is drawn: as text, or as an emoji.
_SELECTORS = "\ufe0e\ufe0f"
_KEYCAP = "\u20e3"
# Letters and marks that are never drawn (Unicode's property Default_Ignorable_Code_Point): fillers of Hangul
# syllables, inherent vowels, selectors of variants. No other letter or mark has the property.
_UNSEEN = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
    + "".join(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))
)
# Many languages need these characters, though they are not drawn. Bodies keep them: nobody compares bodies by eye.
OF_LANGUAGES = _JOINER + "".join(sorted(_UNSEEN))


def printable(text: str, keep: str = "") -> str:
    r"""Return `text` with an escape for each character that is not seen or could act on a terminal.

    Control characters, line and paragraph separators, bidirectional and invisible marks, fillers, tags and lone
    surrogates become `\x1b`, `\u202e` and the like; the characters in `keep` stay as they are. A joiner and a
    selector stay if they make one emoji of several characters, because there they hide nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        ch if (ch.isprintable() and ch not in _UNSEEN) or ch in keep else _shown(text, place)
        for place, ch in enumerate(text)
    )


def _shown(text: str, place: int) -> str:
    import unicodedata

    ch = text[place]
    if unicodedata.category(ch) in ("Zs", "Co") or _is_unassigned(ch) or _is_of_emoji(text, place):
        return ch
    return ch.encode("unicode_escape").decode("ascii")


def _is_unassigned(ch: str) -> bool:
    """Tell whether no character is assigned here yet, and the place is not reserved for an invisible one."""
    import unicodedata

    is_unseen = ch == "\u2065" or "\ufff0" <= ch <= "\ufff8" or "\U000e0000" <= ch <= "\U000e0fff"
    return unicodedata.category(ch) == "Cn" and not is_unseen


def _is_of_emoji(text: str, place: int) -> bool:
    """Tell whether a joiner stands between two symbols, or a selector right behind one."""
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if text[place] == _JOINER:
        if before and before in _SELECTORS:
            before = text[max(0, place - 2) : place - 1]
        return _is_symbol(before) and _is_symbol(after)
    return text[place] in _SELECTORS and (_is_symbol(before) or after == _KEYCAP)


def _is_symbol(ch: str) -> bool:
    """Tell whether the character is of a kind that emoji are made of."""
    import unicodedata

    return ch != "" and unicodedata.category(ch) in ("So", "Sm", "Sk")


def shorten(text: str, width: int) -> str:
    """Return `text` in at most `width` characters; if it was cut, the last one is an ellipsis."""
    return text if len(text) <= width else text[: width - 1] + "…"


def abridge(text: str, width: int) -> str:
    """Return `text` in at most `width` characters; if it was cut, an ellipsis replaces its middle."""
    if len(text) <= width:
        return text
    end = width // 3
    return f"{text[: width - end - 1]}…{text[len(text) - end :]}"


def counted(number: int, noun: str) -> str:
    """Return `1 message`, `2 messages`: the number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def on_its_way(number: int) -> str:
    """Return `on its way`, or `on their way` for several: the words for mail that is not delivered yet."""
    return "on its way" if number == 1 else "on their way"


def hint(word: str, known: "Iterable[str]") -> str:
    """Return ` (did you mean X?)` with the known word nearest to `word`, or '' if none is near."""
    import difflib

    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""
