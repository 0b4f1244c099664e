"""Conflict copies: the files that a sync tool makes if two machines changed one file, recognised by their names.

A copy is no message: it is set aside, and never delivered. Sources: the names in each tool's documentation.
"""

import re

from ai_bridge.mailboxes import file_names
from ai_bridge.message import ids
from ai_bridge.message.address import is_address

_WORDS = re.compile(
    r"\.sync-conflict-\d{8}-\d{6}(-[A-Z2-7]{7})?(?=\.|$)"  # Syncthing
    r"| \([^()]*conflicted copy[^()]*\)"  # Dropbox, Nextcloud
    r"|_conflict-\d{8}-\d{6}(?=\.|$)"  # ownCloud, Nextcloud once
    r"| \(SFConflict [^()]*\)"  # Seafile
    r"| \((copy: )?conflict( #\d+)? on [^()]*\)",  # Unison
    re.IGNORECASE,
)
# Google Drive and others only number a copy, OneDrive adds the machine's name, Resilio Sync a word. A name of ours
# before that tells such a copy from a person's own file.
_ADDED = re.compile(r" ?\(\d+\)$| \d+$|-[A-Z][A-Za-z0-9-]*$|\.conflict\d*$", re.IGNORECASE)


def original(name: str) -> str:
    """Return the name of the file of which the conflict copy `name` was made; '' if it is no copy."""
    if (found := _WORDS.search(name)) is not None:
        return name[: found.start()] + name[found.end() :]
    if _is_plain(name):
        return ""
    stem = name.removesuffix(".txt")
    found = _ADDED.search(stem)
    if found is None or stem == name:
        return ""
    id_, dot, _ = stem[: found.start()].rpartition(".")
    return f"{stem[: found.start()]}.txt" if dot and ids.is_own_id(id_) else ""


def label(name: str) -> tuple[str, str]:
    """Return the ID and the recipient in a file's name; for a conflict copy, those of its original."""
    return file_names.label(original(name) or name)


def _is_plain(name: str) -> bool:
    """Tell whether the name is exactly of the form under which this program drops and delivers."""
    id_, recipient = file_names.label(name)
    return name.endswith(".txt") and ids.is_own_id(id_) and is_address(recipient)
