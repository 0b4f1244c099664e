"""The router's log: lines for people or JSON Lines, on standard error or in a file that rotates."""

import json
import logging
import os
import sys
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

from ai_bridge.system import times
from ai_bridge.text import printable

if TYPE_CHECKING:
    from ai_bridge.router.step import Step

LOGGER = logging.getLogger("ai_bridge")
_BACKUPS = 3
_LEVELS = dict.fromkeys(("reject", "hold", "release", "retry", "wait"), logging.WARNING) | {"leave": logging.DEBUG}
_FIELDS = ("verb", "sender", "file", "why")


class _Lines(logging.Formatter):
    """`2026-11-22T03:24:05.271Z INFO deliver claude/<file>`; no file name can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_stamp(record)} {record.levelname} {printable(record.getMessage())}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _JsonLines(logging.Formatter):
    """One object per line: `time`, `level`, `message`, and for a step `verb`, `sender`, `file`, `why`."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {"time": _stamp(record), "level": record.levelname, "message": record.getMessage()}
        entry |= {field: getattr(record, field) for field in _FIELDS if hasattr(record, field)}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)


class _OwnFile(RotatingFileHandler):
    """A file for this user alone. A line that the disk refuses is dropped without a stack trace."""

    def _open(self) -> TextIOWrapper:
        fd = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        return open(fd, "a", encoding=self.encoding, errors=self.errors)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is that of `logging`
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def _stamp(record: logging.LogRecord) -> str:
    return times.format_utc(record.created, f"{int(record.msecs):03d}")


def open_log(path: str | None, as_json: bool, max_bytes: int, verbose: bool = False) -> None:
    """Send the log to the file at `path`, rotating at `max_bytes`, or to standard error if `path` is None."""
    handler: logging.Handler
    if path is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        handler = _OwnFile(
            path, maxBytes=max_bytes, backupCount=_BACKUPS, encoding="utf-8", errors="backslashreplace"
        )
    handler.setFormatter(_JsonLines() if as_json else _Lines())
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(logging.DEBUG if verbose else logging.INFO)
    LOGGER.propagate = False


def log_step(step: "Step", prefix: str = "") -> None:
    """Log a step: as a warning if a person should know, as debug if the file is left for the next pass."""
    fields = {"verb": step.verb, "sender": step.outbox.owner, "file": step.name, "why": step.why}
    text = f"{prefix}{step.verb} {step.outbox.owner}/{step.name}" + (f": {step.why}" if step.why else "")
    LOGGER.log(_LEVELS.get(step.verb, logging.INFO), "%s", text, extra=fields)
