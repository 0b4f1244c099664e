"""Excerpts sent with a message: shown in its body within a budget, and named in its header `Context`.

`mailboxes/attachments` attaches an excerpt that does not fit, under a name made of the hash of its content. The
grammar of the header is in docs/format.md.
"""

import hashlib
import os
import re
from itertools import islice
from urllib.parse import quote_from_bytes, unquote_to_bytes

from ai_bridge.errors import BridgeError, TooLarge
from ai_bridge.message import excerpt
from ai_bridge.message.excerpt import Excerpt
from ai_bridge.settings import Settings
from ai_bridge.text import OF_LANGUAGES, printable, shorten

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEADER = "Context"
MAX_REFERENCES = 20
_TOLD_DIGITS = 16  # of a hash, in a body
_KEPT = "\t" + OF_LANGUAGES
_PREVIEW_LINES, _PREVIEW_WIDTH = 10, 200

_NAMED = re.compile(r"([^:]+)(?::([0-9]{1,12})-([0-9]{1,12}))?")
_COMMIT = re.compile(r"([0-9a-f]{7,64})(\+?)")
_PLAIN_ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}")
# Fewer than eight digits are as likely to be mistyped as meant.
WANTED = re.compile(r"(?:sha256:)?([0-9a-f]{8,64})", re.IGNORECASE)
_HASH = re.compile(r"sha256:([0-9a-f]{64})")


class TooManyReferences(BridgeError):
    sentence = "{count} files or parts of files are named, and a message takes at most {limit}: name fewer"


class Entry:
    """One excerpt, as a message's header describes it; a field that the header does not give is None.

    `path` is the file's. `first` and `last` are its lines; they are None for a whole file. `commit` is that of the
    file's repository, and `modified` says whether the file differed from it. `sha256` is given if the excerpt is
    attached.
    """

    __slots__ = ("commit", "first", "last", "modified", "path", "sha256")

    def __init__(self, path: str, first: int | None = None, last: int | None = None) -> None:
        self.path = path
        self.first = first
        self.last = last
        self.commit: str | None = None
        self.modified = False
        self.sha256: str | None = None


class Prepared:
    """A message's `body` with its excerpts, the value of its `header`, and the contents to attach, by file name."""

    __slots__ = ("attached", "body", "header")

    def __init__(self, body: str, header: str, attached: dict[str, bytes]) -> None:
        self.body = body
        self.header = header
        self.attached = attached


def prepare(
    body: str, references: "Iterable[str]", settings: Settings, folder: str | None = None, by_model: bool = False
) -> Prepared:
    """Return `body` with an excerpt for each of `references`, and the header for them; changes nothing.

    `folder` is the project folder; None stands for that of the working directory. A model (`by_model`) may name files
    in the project and in the setting's `context_folders` only; a person may name any. Raises `TooManyReferences`,
    `TooLarge` if the body is larger than a message may be, and what `excerpt.parse_reference` and `excerpt.load`
    raise.
    """
    opened = settings.context_folders if by_model else None
    excerpts = _loaded(list(dict.fromkeys(references)), folder, settings.max_attachment_bytes, opened)
    blocks, told, attached = [], [], {}
    for one, (lines, is_whole) in zip(excerpts, _shared_out(excerpts, settings.context_chars), strict=True):
        hash_ = None if is_whole else digest(one.raw)
        if hash_:
            attached[file_name(hash_, one.path)] = one.raw
        blocks.append(_block(one, lines, hash_))
        told.append(_entry(one, hash_))
    whole = "\n".join([*([body.removesuffix("\n") + "\n"] if body else []), *blocks])
    _check_size(whole, settings.max_message_bytes)
    return Prepared(whole, "; ".join(told), attached)


def _loaded(references: list[str], folder: str | None, limit: int, opened: "Iterable[str] | None") -> list[Excerpt]:
    """Return the excerpts that are named, each once."""
    if len(references) > MAX_REFERENCES:
        raise TooManyReferences(count=len(references), limit=MAX_REFERENCES)
    folder = os.path.realpath(folder) if folder else excerpt.project_folder()
    loaded: dict[tuple[str, int, int], Excerpt] = {}
    for text in references:
        one = excerpt.load(excerpt.parse_reference(text), folder, limit, opened)
        loaded.setdefault((one.path, one.first, one.last), one)
    return list(loaded.values())


def _shared_out(excerpts: list[Excerpt], left: int) -> list[tuple[list[str], bool]]:
    """Return the lines to show for each excerpt, and whether they are all of its lines.

    Excerpts that fit into `left` characters come first; the beginnings of the others get the rest.
    """
    shown = []
    for one in excerpts:
        lines, is_whole = _fitting(_numbered(one, left), left)
        shown.append((lines if is_whole else [], is_whole))
        left -= _characters(shown[-1][0])
    for place, one in enumerate(excerpts):
        if not shown[place][1]:
            first = (shorten(line, _PREVIEW_WIDTH) for line in islice(_numbered(one, _PREVIEW_WIDTH), _PREVIEW_LINES))
            shown[place] = (_fitting(first, left)[0], False)
            left -= _characters(shown[place][0])
    return shown


def _fitting(lines: "Iterable[str]", left: int) -> tuple[list[str], bool]:
    """Return the first lines that fit into `left` characters, line ends included, and whether these are all."""
    taken: list[str] = []
    for line in lines:
        left -= len(line) + 1
        if left < 0:
            return taken, False
        taken.append(line)
    return taken, True


def _characters(lines: list[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def _check_size(body: str, limit: int) -> None:
    size = len(body.encode("utf-8", "surrogatepass"))
    if size > limit:
        raise TooLarge(what="the body with its context", size=size, limit=limit)


# --- in words -------------------------------------------------------------------------------------------


def _numbered(one: Excerpt, most: int) -> "Iterator[str]":
    """Yield each line after its number, with escapes for characters that make it look like a line of another kind.

    It looks at `most` + 1 characters of a line: enough to see that a longer one does not fit.
    """
    width, end = len(str(one.last)), "\r" if _has_crlf(one) else ""
    for number, line in enumerate(one.lines(), one.first):
        yield f"{number:{width}} | {printable(line.removesuffix(end)[: max(0, most) + 1], keep=_KEPT)}"


def _has_crlf(one: Excerpt) -> bool:
    """Tell whether each line ends in CR LF."""
    return b"\n" in one.raw and one.raw.count(b"\n") == one.raw.count(b"\r\n")


def _block(one: Excerpt, lines: list[str], hash_: str | None) -> str:
    """Return an excerpt in the form for a body: every line but the heading, a note and the end has a number."""
    path = printable(one.path)
    text = [f"--- context: {path} {_heading(one)}{', attached' if hash_ else ''} ---", *lines]
    if hash_:
        begins = "; it begins:" if lines else ""
        text.insert(1, f"attached: {len(one.raw)} bytes; to see all: ai-bridge show {hash_[:_TOLD_DIGITS]}{begins}")
    return "\n".join([*text, f"--- end of context: {path} ---", ""])


def _heading(one: Excerpt) -> str:
    """Return the facts that apply, as in `lines 42-58 of 310, commit 1a2b3c4d5e6f, modified, CR LF line ends`."""
    lines = f"lines {one.first}-{one.last}" if one.last > one.first else f"line {one.first}"
    facts = [f"{lines} of {one.total}" if one.total else "(empty)"]
    facts += [f"commit {one.commit}"] if one.commit else []
    facts += ["modified"] if one.modified else []
    return ", ".join([*facts, *(["CR LF line ends"] if _has_crlf(one) else [])])


# --- the header -----------------------------------------------------------------------------------------


def _entry(one: Excerpt, hash_: str | None) -> str:
    words = [_quoted(one.path) + ("" if one.whole else f":{one.first}-{one.last}")]
    words += [one.commit + ("+" if one.modified else "")] if one.commit else []
    return " ".join([*words, *([f"sha256:{hash_}"] if hash_ else [])])


def _quoted(path: str) -> str:
    """Percent-encode characters that are not printable, and those that have a meaning in the header's grammar."""
    return "".join(
        ch if ch.isprintable() and ch not in " %:;" else quote_from_bytes(os.fsencode(ch), safe="") for ch in path
    )


def entries(header: str) -> list[Entry]:
    """Return the excerpts that a header `Context` of this value names; parts that are not understood are left out."""
    return [entry for part in header.split(";") if (entry := _parsed(part.split())) is not None]


def _parsed(words: list[str]) -> Entry | None:
    named = _NAMED.fullmatch(words[0]) if words else None
    if named is None:
        return None
    path, (first, last) = _unquoted(named[1]), (int(digits or 0) for digits in named.groups()[1:])
    if not path or first > last:
        return None
    entry = Entry(path, first or None, last or None)
    for word in words[1:]:
        if commit := _COMMIT.fullmatch(word):
            entry.commit, entry.modified = commit[1], bool(commit[2])
        elif hash_ := _HASH.fullmatch(word):
            entry.sha256 = hash_[1]
    return entry


def _unquoted(text: str) -> str:
    try:
        return os.fsdecode(unquote_to_bytes(text))
    except UnicodeError:  # a lone surrogate
        return ""


# --- the names of what is attached -------------------------------------------------------------------------


def digest(raw: bytes) -> str:
    """Return the SHA-256 of a content, in hexadecimal."""
    return hashlib.sha256(raw).hexdigest()


def file_name(hash_: str, path: str) -> str:
    """Return the name of an attachment: the hash of its content, and the ending of its file if that is plain."""
    ending = os.path.splitext(path)[1]
    return hash_ + (ending if _PLAIN_ENDING.fullmatch(ending) else "")


def is_hash(text: str) -> bool:
    """Tell whether `text` can name an attachment: a whole hash, or at least the first eight digits of one."""
    return WANTED.fullmatch(text) is not None
