"""The commands that put mail away: archive."""

from __future__ import annotations

import sys

import click

from ai_bridge.archive import threads
from ai_bridge.archive.threads import Run
from ai_bridge.cli.common import common, echo_json
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import times
from ai_bridge.text import counted


@click.command()
@click.option("--older-than", "age", metavar="AGE", required=True, help="0s, 90m, 2h, 30d: since the last message.")
@common()
def archive(where: Tree, agent: str | None, age: str, as_json: bool) -> None:
    """Archive read mail, by whole threads whose last message is older than AGE, and malformed files of that age.

    Archived mail is found as before, by history, search, threads and show.
    """
    run = _archived(where, times.parse_duration(age, "--older-than"))
    if as_json:
        echo_json([{"messages": run.messages, "threads": run.threads, "elsewhere": run.elsewhere}])
        return
    click.echo(f"archived {counted(run.messages, 'message')} of {counted(run.threads, 'thread')}")


def _archived(where: Tree, age_s: float) -> Run:
    """Archive what is due, and show how far it is on standard error, if that is a terminal."""
    run = Run()
    is_shown = sys.stderr is not None and sys.stderr.isatty()
    try:
        for _ in threads.steps(where, age_s, run):
            if is_shown:
                click.echo(f"\r{run.messages} of {run.due or 'a number of'} messages archived", err=True, nl=False)
    finally:
        if is_shown:
            click.echo("\r\x1b[K", err=True, nl=False)
    return run
