"""The commands install and uninstall: what a client reads of ours is put in its place, or taken away."""

from __future__ import annotations

import difflib
import io
import sys
from collections.abc import Callable
from typing import Any

import click

from ai_bridge import install as install_
from ai_bridge.cli.group import common, echo_json
from ai_bridge.install import CLIENTS, SCOPES, Step
from ai_bridge.text import printable

_DONE = {"write": "written", "replace": "replaced", "remove": "removed"}


def _options(command: Callable[..., None]) -> Callable[..., None]:
    command = common()(command)
    command = click.option("--yes", is_flag=True, help="Do not ask before files that differ from ours.")(command)
    command = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")(command)
    command = click.option(
        "--scope",
        type=click.Choice(SCOPES),
        default="user",
        show_default=True,
        help="For you everywhere, or in this project.",
    )(command)
    return click.argument("client", type=click.Choice([*CLIENTS, "all"]))(command)


@click.command()
@_options
def install(client: str, **options: Any) -> None:
    """Put the advisor skill where a client reads skills; what stands there already is replaced only if you agree."""
    _run("install", client, **options)


@click.command()
@_options
def uninstall(client: str, **options: Any) -> None:
    """Remove what install wrote, and the directories that are then empty; what was changed only if you agree."""
    _run("uninstall", client, **options)


def _run(verb: str, client: str, scope: str, dry_run: bool, yes: bool, as_json: bool, **_: Any) -> None:
    steps = install_.plan(verb, list(CLIENTS) if client == "all" else [client], scope)
    if dry_run:
        for step in steps:
            _show_difference(step, as_json)
            _report(step, f"would-{step.verb}" if step.verb in _DONE else step.verb, None, as_json)
        return
    install_.agree(steps, lambda step: _consents(step, yes, as_json))
    for step, backup in install_.carry_out(steps):
        _report(step, _DONE.get(step.verb, step.verb), backup, as_json)


def _consents(step: Step, yes: bool, as_json: bool) -> bool:
    """Tell whether the person agrees: by --yes, or, shown the difference, by an answer on the terminal."""
    may_ask = not as_json and all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
    if not yes and not may_ask:
        return False
    _show_difference(step, as_json)
    question = f"{step.verb.capitalize()} {printable(step.piece.path)} (a backup is kept)?"
    return yes or click.confirm(question)


def _show_difference(step: Step, as_json: bool) -> None:
    if step.needs_consent and not as_json:
        click.echo(printable(_difference(step), keep="\n\t"), nl=False)


def _difference(step: Step) -> str:
    """Return a unified diff: what a replacement changes, or how a file to be removed differs from ours."""
    there, ours = (step.piece.path, step.present or b""), ("ai-bridge", step.piece.content)
    (old, before), (new, after) = (there, ours) if step.verb == "replace" else (ours, there)
    lines = difflib.unified_diff(_lines(before), _lines(after), old, new)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(content: bytes) -> list[str]:
    return list(io.StringIO(content.decode("utf-8", "replace"), newline="\n"))


def _report(step: Step, action: str, backup: str | None, as_json: bool) -> None:
    if as_json:
        echo_json([{"client": step.piece.client, "path": step.piece.path, "action": action}])
        return
    kept = f" (before: {printable(backup)})" if backup else ""
    click.echo(f"{step.piece.client}: {action} {printable(step.piece.path)}{kept}")
