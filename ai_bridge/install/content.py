"""The content that a file should have: a file of our own, or our part in a file that belongs to others."""

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
    """Computes the bytes wanted from the bytes that are there (None: no file); never touches the disk."""

    through_links = True
    keeps_backups = True
    nothing = b""  # the content of an emptied file that cannot be removed because a link leads to it

    @abstractmethod
    def installed(self, present: bytes | None) -> bytes:
        """Return the file with all of ours in it; raises `NotMergeable`."""

    @abstractmethod
    def uninstalled(self, present: bytes, backups: Sequence[bytes]) -> bytes | None:
        """Return the file without our part, None for no file; raises `NotMergeable`.

        `backups` are the file's earlier contents, the newest first.
        """

    @abstractmethod
    def holds(self, present: bytes | None) -> bool:
        """Tell whether any part of ours is in the file; raises `NotMergeable`."""

    @abstractmethod
    def asks(self, verb: str, present: bytes) -> bool:
        """Tell whether "install" or "uninstall" (`verb`) would remove something that a person wrote."""

    @abstractmethod
    def shown(self, present: bytes | None) -> bytes:
        """Return what may be shown of the file: all of it, or our part alone."""

    def is_between(self, backup: bytes, original: bytes | None) -> bool:
        """Tell whether a backup differs from `original` only by our part."""
        return False

    def notes(self, present: bytes | None) -> list[str]:
        """Return sentences about settings that install leaves as they are, and about what the person does next."""
        return []

    def by_hand(self) -> str:
        """Return the lines that a person writes into the file if install cannot; '' for none."""
        return ""


@dataclass(frozen=True)
class Whole(Content):
    """A file that is ours alone; it replaces any file or link of its name."""

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
    """Our part in a file of others; each kind of file has a subclass that changes its text."""

    @abstractmethod
    def put(self, text: str) -> str:
        """Return the text with all of our part in it; raises `NotMergeable`."""

    @abstractmethod
    def strip(self, text: str, original: str | None) -> str:
        """Return the text without our part; raises `NotMergeable`.

        `original` is the text before the first install, None if no backup has it.
        """

    @abstractmethod
    def view(self, text: str) -> str:
        """Return our part as text, '' if there is none; raises `NotMergeable`."""

    @abstractmethod
    def as_found(self, text: str) -> Self:
        """Return a copy whose part is the one found in the text, even if install would write another one today."""

    @abstractmethod
    def is_empty(self, text: str) -> bool:
        """Tell whether the text holds no settings at all."""

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
    """Return the byte order mark (b'' if there is none) and the text; raises `NotMergeable`."""
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
    """Return the unified difference of two contents, each given with its name."""
    lines = difflib.unified_diff(_lines(before[1]), _lines(after[1]), before[0], after[0])
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(content: bytes) -> list[str]:
    return list(io.StringIO(content.decode("utf-8", "replace"), newline="\n"))
