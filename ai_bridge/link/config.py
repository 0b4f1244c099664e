"""The link of some mailboxes to a NATS server: where it is, as which team, and with what credentials.

It lies in the state directory and is its owner's alone, for it may hold a password: the shared tree never does.
One link a mailboxes: all teams of a server are reached by it, and no agent could be reached by two.
"""

import json
import os
import stat
from contextlib import suppress
from urllib.parse import urlsplit

from ai_bridge.errors import BridgeError, Malformed, disk_error
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.message import address
from ai_bridge.system import durable, state_files, untrusted

_FOLDER = "links"
_ENDING = ".json"
_BYTES = 65_536
_FIELDS = ("team", "url", "creds", "tls_ca", "id")
_SCHEMES = ("nats", "tls")


class BadLink(BridgeError):
    sentence = "{what}"


class NotInstalled(BridgeError):
    sentence = "a link needs the client of NATS: `pip install 'ai-bridge[nats]'`"


class Trouble(BridgeError):
    """The server could not be used; another try may go better."""

    sentence = "{what}"


class Refusal(Trouble):
    """The server, or another team, refuses this link: a person has to see to it."""


class Link:
    """One link: its `team` (ours, and its name), the server's `url`, files of credentials, and a random `id`."""

    __slots__ = ("creds", "id", "team", "tls_ca", "url")

    def __init__(self, team: str, url: str, creds: str = "", tls_ca: str = "", id_: str = "") -> None:
        self.team = team
        self.url = url
        self.creds = creds
        self.tls_ca = tls_ca
        self.id = id_ or os.urandom(8).hex()

    @property
    def shown_url(self) -> str:
        """The server's address without user and password."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def is_same(self, other: "Link") -> bool:
        """Tell whether another link leads to the same place in the same way."""
        return all(getattr(self, field) == getattr(other, field) for field in _FIELDS)

    def check(self) -> "Link":
        """Return self if it can be used; raises `BadLink` with what is wrong."""
        check_team(self.team)
        parts = urlsplit(self.url)
        if parts.scheme not in _SCHEMES or not parts.hostname or parts.path not in ("", "/"):
            raise BadLink(what=f"{self.shown_url} is no NATS server: give nats://HOST:PORT or tls://HOST:PORT")
        _check_files(self.creds, self.tls_ca)
        return self

    def file(self, mailboxes: Mailboxes, ending: str) -> str:
        """Return the path of one of this link's own files in the state directory."""
        return mailboxes.state_file(_FOLDER, self.team + ending)


def check_team(team: str) -> str:
    """Return a team's name; raises `BadLink` where it cannot be one."""
    if "@" in team or not address.is_address(team) or team == address.POSTMASTER:
        raise BadLink(what=f"{team!r} cannot be a team's name: a lower-case letter, then a-z, 0-9, _ and -")
    return team


def _check_files(creds: str, tls_ca: str) -> None:
    for path in filter(None, (creds, tls_ca)):
        try:
            found = os.stat(path)
        except OSError as error:
            raise disk_error(path, error) from None
        if path == creds and os.name != "nt" and stat.S_IMODE(found.st_mode) & 0o077:
            raise BadLink(what=f"{path} holds a secret and others may read it: `chmod 600` it")


def load(mailboxes: Mailboxes) -> Link | None:
    """Return the link of these mailboxes, None where there is none; raises `BadLink` where its file is damaged."""
    folder = mailboxes.state_file(_FOLDER)
    names = sorted(name for name in untrusted.listed(folder) if name.endswith(_ENDING))
    if not names:
        return None
    path = os.path.join(folder, names[0])
    with suppress(OSError, Malformed, ValueError, RecursionError):
        found = json.loads(untrusted.read_file(path, _BYTES))
        if isinstance(found, dict) and all(isinstance(found.get(field), str) for field in _FIELDS):
            team, url, creds, tls_ca, id_ = (str(found[field]) for field in _FIELDS)
            return Link(team, url, creds, tls_ca, id_)
    raise BadLink(what=f"{path} is damaged: remove it, and link again with `ai-bridge link URL --as TEAM`")


def store(mailboxes: Mailboxes, link: Link) -> None:
    """Make this the link of the mailboxes; raises `BadLink` where they are linked as another team."""
    link.check()
    before = load(mailboxes)
    if before is not None and before.team != link.team:
        raise BadLink(
            what=f"these mailboxes are linked to {before.shown_url} as {before.team}: `ai-bridge link --remove` first"
        )
    path = link.file(mailboxes, _ENDING)
    said = {field: getattr(link, field) for field in _FIELDS}
    state_files.remember(path, json.dumps(said).encode())


def remove(mailboxes: Mailboxes, link: Link) -> None:
    """Forget the link; what it still had to tell stays, for the day it is made again."""
    durable.remove(link.file(mailboxes, _ENDING), flush=True)
