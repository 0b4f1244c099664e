"""Sessions that live, pages of other machines, and a clock that is ahead."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ai_bridge.agents.identity import Identity
from ai_bridge.agents.session_names import take
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import front_matter, times

AWAY = "mini-abcd1234"


@contextmanager
def session(where: Tree, agent: str, client: str = "test") -> Iterator[str]:
    """Have a live session of an agent, of this process."""
    name = take(where, Identity(agent, "for the test"), client)
    try:
        yield name.address
    finally:
        name.release()


def page_path(where: Tree, host: str = AWAY) -> Path:
    return Path(where.path) / "presence" / f"{host}.md"


def tell(where: Tree, age_s: float = 0.0, host: str = AWAY, **parts: dict[str, str]) -> None:
    """Write another machine's page, which says it is `age_s` seconds old."""
    path = page_path(where, host)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(
        front_matter.format_page({"host": host, "at": times.format_utc(time.time() - age_s), **parts}, "")
    )


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let this process believe that it is later."""
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + seconds)
