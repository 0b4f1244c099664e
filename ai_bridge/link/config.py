"""The link of some mailboxes to a NATS server: the server's address, our team's name, and the credentials.

Its file is in the state directory, and only its owner may read it, because it may hold a password. The shared tree
never holds one. There is one link per mailboxes: it reaches all teams of a server, and two links could not reach the
same agent.
"""

import json
import os
import stat
from contextlib import suppress
from urllib.parse import urlsplit

from ai_bridge.errors import BridgeError, Malformed, disk_error
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import address
from ai_bridge.system import durable, processes, state_files, untrusted

# The distribution that has the client of NATS.
CLIENT = "nats-py"
_FOLDER = "links"
_ENDING = ".json"
_BYTES = 65_536
_FIELDS = ("team", "url", "creds", "tls_ca", "id")
_SCHEMES = ("nats", "tls")


class BadLink(BridgeError):
    sentence = "{what}"


class NotInstalled(BridgeError):
    sentence = "a link needs the client of NATS: `{command}`"

    def __init__(self) -> None:
        super().__init__(command=processes.pip_command(CLIENT))


class Trouble(BridgeError):
    """The server cannot be used now; a later try may succeed."""

    sentence = "{what}"


class Refusal(Trouble):
    """The server or another team refuses this link: a person has to act."""


class Link:
    """One link: our `team`, which also names the link, the server's `url`, and a random `id`.

    `creds` is the path of a file of credentials, and `tls_ca` that of a certificate authority; '' if not used.
    """

    __slots__ = ("creds", "id", "team", "tls_ca", "url")

    def __init__(self, team: str, url: str, creds: str = "", tls_ca: str = "", id_: str = "") -> None:
        self.team = team
        self.url = url
        self.creds = creds
        self.tls_ca = tls_ca
        self.id = id_ or os.urandom(8).hex()

    @property
    def shown_url(self) -> str:
        """The server's URL without user and password."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def is_same(self, other: "Link") -> bool:
        """Tell whether all fields of another link are the same."""
        return all(getattr(self, field) == getattr(other, field) for field in _FIELDS)

    def check(self) -> "Link":
        """Return self if the team, the URL and the files are valid; raises `BadLink` or `DiskError`."""
        check_team(self.team)
        parts = urlsplit(self.url)
        if parts.scheme not in _SCHEMES or not parts.hostname or parts.path not in ("", "/"):
            raise BadLink(what=f"{self.shown_url} is no NATS server: give nats://HOST:PORT or tls://HOST:PORT")
        _check_files(self.creds, self.tls_ca)
        return self

    def file(self, mailboxes: Tree, ending: str) -> str:
        """Return the path of the link's own file in the state directory that ends with `ending`."""
        return mailboxes.state_file(_FOLDER, self.team + ending)


def check_team(team: str) -> str:
    """Return `team` if it is a valid name of a team; raises `BadLink`."""
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


def load(mailboxes: Tree) -> Link | None:
    """Return the link of these mailboxes, None if there is none; raises `BadLink` if its file is damaged."""
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


def store(mailboxes: Tree, link: Link) -> None:
    """Write the link into the state directory; raises `BadLink` if the mailboxes are linked as another team."""
    link.check()
    before = load(mailboxes)
    if before is not None and before.team != link.team:
        raise BadLink(
            what=f"these mailboxes are linked to {before.shown_url} as {before.team}: `ai-bridge link --remove` first"
        )
    path = link.file(mailboxes, _ENDING)
    said = {field: getattr(link, field) for field in _FIELDS}
    state_files.remember(path, json.dumps(said).encode())


def remove(mailboxes: Tree, link: Link) -> None:
    """Remove the link's file; the receipts that it owes stay on the disk, in case the link is made again."""
    durable.remove(link.file(mailboxes, _ENDING), flush=True)
