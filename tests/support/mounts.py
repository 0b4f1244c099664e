"""The kernel's mount table, as a test wants it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_bridge.system import filesystems

ROOT_LINE = "28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw"


def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> Path:
    """Have the kernel's mount table say this."""
    path = tmp_path / "mountinfo"
    path.write_text("".join(f"{line}\n" for line in (ROOT_LINE, *lines)))
    monkeypatch.setattr(filesystems, "_MOUNTS", str(path))
    monkeypatch.setattr(filesystems, "_known", {})
    return path


def mounted(type_: str, at: str, source: str = "srv:/x", number: int = 99) -> str:
    return f"{number} 28 0:52 / {at} rw,relatime shared:5 master:2 - {type_} {source} rw,vers=4.2"
