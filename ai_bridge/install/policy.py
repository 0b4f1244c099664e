"""The file by which a client runs our wait for mail without asking: a rule of ours alone, for the user."""

from __future__ import annotations

import shlex
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ai_bridge.clients.files import Policy
from ai_bridge.install.content import Whole
from ai_bridge.install.entries import own_words
from ai_bridge.system.processes import program


@dataclass(frozen=True)
class Rule(Whole):
    """The content of such a file; a rule that names the program at another path is ours, too."""

    def asks(self, verb: str, present: bytes) -> bool:
        found = _placeless(present)
        return found is None or found != _placeless(self.content)


def rule(policy: Policy) -> Rule:
    """Return the rule that lets the client run our command, at the path that this program has here."""
    import tomlkit

    prefix = shlex.join([*program(), *policy.words])
    return Rule(policy.text.format(tomlkit.string(prefix).as_string()).encode())


def _placeless(content: bytes) -> Any:
    """Return what the file says, with our program left out of its commands; None if it cannot be understood."""
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        document = tomllib.loads(content.decode())
        for one in document["rule"]:
            one["commandPrefix"] = own_words(shlex.split(one["commandPrefix"])) or one["commandPrefix"]
        return document
    return None
