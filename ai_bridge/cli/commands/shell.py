"""The commands about the shell they run in: whoami, completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ai_bridge.agents import identity, person, projects
from ai_bridge.cli.common import common, echo_json
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes import find
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.address import project_of
from ai_bridge.text import printable

_PROGRAM, _VARIABLE = "ai-bridge", "_AI_BRIDGE_COMPLETE"
# Where each shell reads its completions from.
_PLACES = {
    "bash": 'put this line into ~/.bashrc: eval "$(ai-bridge completion bash)"',
    "zsh": 'put this line into ~/.zshrc, below compinit: eval "$(ai-bridge completion zsh)"',
    "fish": "write this into ~/.config/fish/completions/ai-bridge.fish",
}


@click.command()
@common()
def whoami(where: Tree, agent: str | None, as_json: bool) -> None:
    """Show which agent I am here, and why; my project, my mailboxes, and the machine where my mail is moved."""
    found = identity.who(where, agent)
    facts = _facts(where, where.known_agent(found.address), found.why)
    if as_json:
        echo_json([facts])
        return
    for line in _lines(facts):
        click.echo(printable(line))


def _facts(where: Tree, me: str, why: str) -> dict[str, object]:
    homes = Homes(where)
    return {
        "address": me,
        "why": why,
        "person": person.is_persons(where, me),
        "project": project_of(me) or projects.here(),
        "mailboxes": where.path,
        "mailboxes_why": find.why(where),
        "home": homes.home_of(me),
        "here": homes.is_here(me),
    }


def _lines(facts: dict[str, object]) -> list[str]:
    home = facts["home"] or "not named"
    return [
        f"I am: {facts['address']} ({facts['why']}){', a person' if facts['person'] else ''}",
        f"project: {facts['project']}",
        f"mailboxes: {facts['mailboxes']} ({facts['mailboxes_why']})",
        f"home: {home} ({'this machine' if facts['here'] else 'another machine: my mail is moved and read there'})",
    ]


@click.command()
@click.argument("shell", type=click.Choice(list(_PLACES)))
@common()
def completion(where: str | None, agent: str | None, shell: str, as_json: bool) -> None:
    """Print the script with which a shell completes commands, options, agents and the IDs of messages."""
    script = _script(shell, click.get_current_context().find_root().command)
    if as_json:
        echo_json([{"shell": shell, "script": script}])
        return
    click.echo(script)


def _script(shell: str, program: click.Command) -> str:
    """Return click's script for a shell, below a comment that says where to put it."""
    kind = get_completion_class(shell)
    assert kind is not None  # click has a class for each shell of `_PLACES`
    return f"# {_PLACES[shell]}\n{kind(program, {}, _PROGRAM, _VARIABLE).source().strip()}"
