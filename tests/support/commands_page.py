"""The reference of all commands, as docs/commands.md has it behind its marker, made from the commands themselves.

`python -m tests.support.commands_page` writes that part of the page again.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import click

from ai_bridge.cli.common import LazyGroup
from ai_bridge.cli.main import bridge, collab
from tests.support.checkout import ROOT

PAGE = ROOT / "docs" / "commands.md"
MARKER = "<!-- `python -m tests.support.commands_page` makes the rest of this page from the commands themselves. -->"
# Every command has these; the page explains them once.
_COMMON = ("--mailboxes", "--agent", "--json")


def reference() -> str:
    """Return the reference: a table of all commands, then each with its help and its options."""
    assert isinstance(bridge, LazyGroup)
    assert isinstance(collab, LazyGroup)
    rows = "".join(f"| [`{name}`](#{name}) | {help_} |\n" for name, (_, help_) in bridge.lazy.items())
    parts = "".join(_section(bridge, name) for name in bridge.lazy)
    return f"| command | does |\n|---|---|\n{rows}{parts}\n## ai-collab status\n\n{_explained(collab, 'status')}"


def _section(group: LazyGroup, name: str) -> str:
    return f"\n## {name}\n\n{_explained(group, name)}"


def _explained(group: LazyGroup, name: str) -> str:
    context = click.Context(group, info_name=str(group.name))
    command = group.get_command(context, name)
    assert command is not None
    usage = " ".join(command.collect_usage_pieces(click.Context(command, parent=context, info_name=name)))
    program = "ai-collab" if group is collab else "ai-bridge"
    text = inspect.cleandoc(command.help or "").partition("\f")[0].replace("\b\n", "")
    options = [one for one in command.params if isinstance(one, click.Option) and one.opts[0] not in _COMMON]
    table = "".join(_row(one) for one in options if not one.hidden)
    head = f"`{program} {name} {usage}`".replace(" [OPTIONS]", "").replace(" `", "`")
    return f"{head}\n\n{_escaped(text)}\n" + (f"\n| option | meaning |\n|---|---|\n{table}" if table else "")


def _row(option: click.Option) -> str:
    context = click.Context(click.Command("x"))
    names, meaning = option.get_help_record(context) or ("", "")
    return f"| `{_cell(names)}` | {_cell(_escaped(meaning))} |\n"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def _escaped(text: str) -> str:
    """Return text in which words like <ID> and *.txt are no markup."""
    return text.replace("<", "\\<").replace("*", "\\*")


def page(text: str) -> str:
    """Return the page with its reference made again."""
    return f"{text.partition(MARKER)[0]}{MARKER}\n\n{reference()}"


if __name__ == "__main__":
    Path(PAGE).write_text(page(PAGE.read_text()))
