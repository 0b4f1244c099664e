"""Shows a long text in a pager, as git does: only on a terminal, `PAGER` or else `less`."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys

import click

from ai_bridge import clients
from ai_bridge.cli import colours
from ai_bridge.cli.screen import terminal

# Without a file of settings for it, `less` ends at once if the text fits, shows colours, and leaves the text there.
_LESS = "FRX"


def show(text: str) -> None:
    """Print a text through the pager, or plainly if there is none.

    A client's shell gets no pager, which would wait there for keys that nobody presses.
    """
    program = _program()
    if not text or not program or not _is_shown_by(program, text):
        click.echo(text, nl=False)


def _program() -> list[str]:
    """Return the words of the pager's command line, [] for none."""
    if not terminal.is_shown() or clients.variable_set() or os.environ.get("TERM") == "dumb":
        return []
    try:
        words = shlex.split(os.environ.get("PAGER", "less"))
    except ValueError:
        return []
    return words if words and words != ["cat"] and shutil.which(words[0]) else []


def _is_shown_by(program: list[str], text: str) -> bool:
    """Run the pager until its user ends it; False if it does not start."""
    options = os.environ.get("LESS", _LESS)
    if colours.wanted() is False or not _knows_colours(program, options):
        text = click.unstyle(text)
    sys.stdout.flush()
    try:
        process = subprocess.Popen(program, stdin=subprocess.PIPE, env={**os.environ, "LESS": options})
    except OSError:
        return False
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the pager
    try:
        process.communicate(text.encode(sys.stdout.encoding, "backslashreplace"))
    finally:
        signal.signal(signal.SIGINT, before)
    return True


def _knows_colours(program: list[str], options: str) -> bool:
    """Tell whether the pager shows colours: `less` does so only with the option `R`."""
    said = [options, *(word for word in program[1:] if word.startswith("-"))]
    return os.path.basename(program[0]) != "less" or any(letter in word for word in said for letter in "rR")
