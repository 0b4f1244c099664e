"""What a file is to hold: a file of our own, or one of others' into which our part is put and taken out again."""

from __future__ import annotations

import codecs
import difflib
import io
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from ai_bridge.install.json_edit import NotMergeable


class Content(ABC):
    """Knows the bytes wanted for the bytes that are there (None: no file); never touches the disk."""

    through_links = True
    keeps_backups = True
    nothing = b""  # what a file holds that cannot go, for a link leads to it

    @abstractmethod
    def installed(self, present: bytes | None) -> bytes:
        """Return the file with all of ours in it; raises `NotMergeable`."""

    @abstractmethod
    def uninstalled(self, present: bytes, backups: Sequence[bytes]) -> bytes | None:
        """Return the file with nothing of ours, None for no file; `backups`, newest first, tell how it was."""

    @abstractmethod
    def holds(self, present: bytes | None) -> bool:
        """Tell whether there is anything of ours; raises `NotMergeable`."""

    @abstractmethod
    def asks(self, verb: str, present: bytes) -> bool:
        """Tell whether "install" or "uninstall" would take away what a person wrote."""

    @abstractmethod
    def shown(self, present: bytes | None) -> bytes:
        """Return of the file what may be shown: all, or our part alone."""

    def is_between(self, backup: bytes, original: bytes | None) -> bool:
        """Tell whether a backup is just `original` with something of ours in it."""
        return False

    def notes(self, present: bytes | None) -> list[str]:
        """Return what a person should know of what is left as it is."""
        return []

    def by_hand(self) -> str:
        """Return what a person would write in, where we cannot."""
        return ""


@dataclass(frozen=True)
class Whole(Content):
    """A file that is all ours; it takes the place of whatever has its name, and of a link too."""

    content: bytes
    through_links = False
    keeps_backups = False

    def installed(self, present: bytes | None) -> bytes:
        return self.content

    def uninstalled(self, present: bytes, backups: Sequence[bytes]) -> bytes | None:
        return None

    def holds(self, present: bytes | None) -> bool:
        return present is not None

    def asks(self, verb: str, present: bytes) -> bool:
        return present != self.content

    def shown(self, present: bytes | None) -> bytes:
        return present or b""


class Merged(Content):
    """Our part in a file of others; kinds of file differ in how text is changed."""

    @abstractmethod
    def put(self, text: str) -> str:
        """Return the text with all of ours; raises `NotMergeable`."""

    @abstractmethod
    def strip(self, text: str, original: str | None) -> str:
        """Return the text without ours; raises `NotMergeable`."""

    @abstractmethod
    def view(self, text: str) -> str:
        """Return our part of the text as text, empty where there is none; raises `NotMergeable`."""

    @abstractmethod
    def as_found(self, text: str) -> Self:
        """Return this content with our part as it stands in the text, whatever we would write today."""

    @abstractmethod
    def is_empty(self, text: str) -> bool:
        """Tell whether the text holds nothing at all."""

    def installed(self, present: bytes | None) -> bytes:
        mark, text = _opened(present)
        return mark + _encoded(self.put(text))

    def uninstalled(self, present: bytes, backups: Sequence[bytes]) -> bytes | None:
        mark, text = _opened(present)
        found = self.as_found(text)
        originals = [backup for backup in backups if not self._may_hold(backup)]
        for original in (*originals, None):
            if found._makes(original) == present:
                return original
        stripped = self.strip(text, _opened(originals[0])[1] if originals else None)
        return None if not originals and self.is_empty(stripped) else mark + _encoded(stripped)

    def holds(self, present: bytes | None) -> bool:
        return bool(self.view(_opened(present)[1]))

    def shown(self, present: bytes | None) -> bytes:
        return self.view(_opened(present)[1]).encode()

    def is_between(self, backup: bytes, original: bytes | None) -> bool:
        with suppress(NotMergeable):
            return self.holds(backup) and self.as_found(_opened(backup)[1])._makes(original) == backup
        return False

    def _may_hold(self, backup: bytes) -> bool:
        try:
            return self.holds(backup)
        except NotMergeable:
            return True

    def _makes(self, original: bytes | None) -> bytes | None:
        with suppress(NotMergeable):
            return self.installed(original)
        return None


def _opened(content: bytes | None) -> tuple[bytes, str]:
    """Return the byte order mark, where there is one, and the text; raises `NotMergeable`."""
    raw = content or b""
    mark = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
    try:
        return mark, raw[len(mark) :].decode()
    except UnicodeDecodeError as error:
        raise NotMergeable(f"byte {error.start} is no UTF-8") from None


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise NotMergeable("a path to be written into it is no UTF-8") from None


def difference(before: tuple[str, bytes], after: tuple[str, bytes]) -> str:
    """Return the unified difference of two named contents."""
    lines = difflib.unified_diff(_lines(before[1]), _lines(after[1]), before[0], after[0])
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(content: bytes) -> list[str]:
    return list(io.StringIO(content.decode("utf-8", "replace"), newline="\n"))
