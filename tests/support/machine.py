"""Several machines, as their cards and pages name them, each with a state directory of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ai_bridge.mailboxes.tree import Tree

# Two machines, and a third, as their cards and pages name them.
LAPTOP, TOWER, MINI = "laptop-aaaaaaaa", "tower-bbbbbbbb", "mini-cccccccc"


On = Callable[[str], str]


def state_of(base: Path, machine: str) -> Path:
    """Return the state directory of a machine of that ID."""
    state = base / f"state of {machine}"
    if not state.exists():
        state.mkdir(parents=True)
        (state / "home").write_text(f"{machine}\n")
    return state


def settle_on(where: Tree, machine: str, *agents: str, epoch: int = 1, **fields: object) -> None:
    """Write the cards of agents that live on that machine."""
    where.make(list(agents))
    for agent in agents:
        said = {"name": agent, "home": machine, **({"epoch": epoch} if epoch > 1 else {}), **fields}
        lines = "".join(f"{name}: {value}\n" for name, value in said.items())
        replaced = Path(where.path, "agents", f".{agent}.new")
        replaced.write_text(f"---\n{lines}---\n")
        replaced.rename(replaced.with_name(f"{agent}.md"))
