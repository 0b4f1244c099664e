"""The accounts in the server's configuration: one for the administrator, and one for each team.

An account is a world of subjects of its own. A team's account imports only the subjects that the team uses. All that
the team publishes, subscribes to, or names for an answer stays in its account. Permissions of users in one shared
account would not do: the server sends answers to any subject a request names, in that account.
"""

import os

from ai_bridge.link import wire
from ai_bridge.link.config import check_team

ADMINISTRATOR = "AIBRIDGE"
_SECRET_BYTES = 18
# Whether an export answers a request with one message or with several.
_EXPORTS = (
    ("aibridge.mail.>", False),
    ("aibridge.receipt.>", False),
    ("aibridge.card.>", False),
    ("aibridge.team.*", False),
    (f"$JS.API.CONSUMER.MSG.NEXT.{wire.MAIL}.*", True),
    (f"$JS.API.CONSUMER.MSG.NEXT.{wire.RECEIPTS}.*", True),
    (f"$JS.ACK.{wire.MAIL}.>", False),
    (f"$JS.ACK.{wire.RECEIPTS}.>", False),
    (f"$JS.API.DIRECT.GET.{wire.CARDS}", True),
)


def block(name: str) -> str:
    """Return the account of a team, or of `ADMINISTRATOR`, as text for `accounts`, with a new random password.

    Raises `BadLink` if `name` is no valid name of a team.
    """
    if name == ADMINISTRATOR:
        return _account(name, "admin", "  jetstream: enabled\n", "exports", [_export(*one) for one in _EXPORTS])
    team = check_team(name)
    return _account(team, team, "", "imports", [_import(subject) for subject in imports(team)])


def imports(team: str) -> list[str]:
    """Return all subjects that a team may use."""
    return [
        f"aibridge.mail.*.{team}.>",
        f"aibridge.receipt.*.{team}.>",
        f"aibridge.card.{team}.>",
        f"aibridge.team.{team}",
        f"$JS.API.CONSUMER.MSG.NEXT.{wire.MAIL}.{team}",
        f"$JS.API.CONSUMER.MSG.NEXT.{wire.RECEIPTS}.{team}",
        f"$JS.ACK.{wire.MAIL}.{team}.>",
        f"$JS.ACK.{wire.RECEIPTS}.{team}.>",
        f"$JS.API.DIRECT.GET.{wire.CARDS}",
    ]


def _account(name: str, user: str, more: str, what: str, lines: list[str]) -> str:
    users = f'  users: [ {{ user: "{user}", password: "{os.urandom(_SECRET_BYTES).hex()}" }} ]\n'
    return f"{name} {{\n{more}{users}  {what}: [\n" + "".join(f"    {line}\n" for line in lines) + "  ]\n}"


def _export(subject: str, is_answered_often: bool) -> str:
    return f'{{ service: "{subject}"{", response_type: stream" if is_answered_often else ""} }}'


def _import(subject: str) -> str:
    return f'{{ service: {{ account: {ADMINISTRATOR}, subject: "{subject}" }} }}'
