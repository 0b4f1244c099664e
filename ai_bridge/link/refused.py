"""Keeps what other teams sent that can never be mail here, with its reason, up to a limit of bytes per team."""

import hashlib
import os
from contextlib import suppress

from ai_bridge.mailboxes.outbox import REASON
from ai_bridge.system import durable, untrusted

_ENDING = ".txt"
# Each file counts for at least this many bytes.
_BLOCK = 4096


class Refused:
    """The files `<team>.<hash>.txt` of a folder, each with its reason.

    At most `limit` bytes per team are kept, the newest. `removed` counts by team the files that were removed or
    never kept; the team '' stands for mail that names no team.
    """

    def __init__(self, folder: str, limit: int) -> None:
        self.removed: dict[str, int] = {}
        self._folder = folder
        self._limit = limit
        self._kept: dict[str, dict[str, int]] = {}

    def keep(self, team: str, raw: bytes, why: str) -> None:
        """Write a team's refused mail and the reason; removes its oldest files over the limit, raises OSError."""
        durable.make_directory(self._folder)
        kept = self._of(team)
        name = f"{team or '-'}.{hashlib.sha256(raw).hexdigest()[:16]}{_ENDING}"
        reason = f"{why}\n".encode("utf-8", "replace")
        kept.pop(name, None)
        while kept and sum(kept.values()) + _size(raw, reason) > self._limit:
            self._remove(team, next(iter(kept)))
        if _size(raw, reason) > self._limit:
            self._count(team)
            return
        durable.replace_own(os.path.join(self._folder, name), raw)
        durable.replace_own(os.path.join(self._folder, name + REASON), reason)
        kept[name] = _size(raw, reason)

    def _of(self, team: str) -> dict[str, int]:
        """Return the sizes in bytes of a team's files by their names, the oldest first."""
        if team not in self._kept:
            found = []
            for name in untrusted.listed(self._folder):
                if name.endswith(_ENDING) and name.startswith(f"{team or '-'}."):
                    with suppress(FileNotFoundError):
                        about = os.lstat(os.path.join(self._folder, name))
                        found.append((about.st_mtime_ns, name, max(about.st_size, _BLOCK) + _BLOCK))
            self._kept[team] = {name: size for _, name, size in sorted(found)}
        return self._kept[team]

    def _remove(self, team: str, name: str) -> None:
        for ending in (REASON, ""):
            durable.remove(os.path.join(self._folder, name + ending))
        del self._kept[team][name]
        self._count(team)

    def _count(self, team: str) -> None:
        self.removed[team] = self.removed.get(team, 0) + 1


def _size(*contents: bytes) -> int:
    return sum(max(len(content), _BLOCK) for content in contents)
