"""The trust that Codex CLI asks of its user before it runs hooks. It is given only to our hooks, if the user says so.

Source: Codex CLI 0.169, which keeps a digest of each trusted hook in the user's own settings.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Self

from ai_bridge.clients.codex_cli import CODEX_CLI
from ai_bridge.clients.files import USER
from ai_bridge.errors import BridgeError
from ai_bridge.install.content import Merged
from ai_bridge.install.entries import Choice, Entry, is_hook
from ai_bridge.install.json_edit import NotMergeable, get, parse
from ai_bridge.install.json_file import own_hooks
from ai_bridge.install.pieces import pieces
from ai_bridge.install.places import folder
from ai_bridge.install.plan import Piece, present_at, present_or_none
from ai_bridge.install.toml_values import append, cut

_CLIENT = CODEX_CLI.name
_PRIVATE = 0o600
# Source: Codex CLI 0.169, which gives this timeout, in seconds, to a hook that has none, and this to each command.
_TIMEOUT_S = 600
_OF_COMMANDS = {"async": False}
_DIGEST = "trusted_hash"


# --- what is trusted now -----------------------------------------------------------------------------------


def trust_states(scope: str) -> dict[str, str]:
    """Return, for each event our hook is on, whether Codex CLI runs it: trusted, modified, untrusted, disabled.

    The user's own settings keep the trust, for a project's hooks too. Only the user gives it, so this only reads.
    """
    state = _trusted_hooks(present_or_none(_trust_path()))
    found = {}
    for event, key, digest in _digests(scope, None):
        kept = state.get(key)
        found[event] = _trust(kept if isinstance(kept, dict) else {}, digest)
    return found


def _trust_path() -> str:
    """Return the path of the file in which Codex CLI keeps the hooks that its user trusts."""
    return os.path.join(folder(_CLIENT, USER)[1], "config.toml")


def _digests(scope: str, hooks: bytes | None) -> list[tuple[str, str, str]]:
    """Return event, key and digest of each hook of ours.

    `hooks` is the content of the file of hooks; None stands for the file on disk.
    """
    path = os.path.join(folder(_CLIENT, scope)[1], "hooks.json")
    try:
        document = parse((hooks or present_at(path) or b"{}").decode("utf-8-sig"))
    except (BridgeError, NotMergeable, UnicodeDecodeError):
        return []
    found = []
    for place, event, _ in own_hooks(document):
        group = get(document, place[:3])
        number = next(number for number, hook in enumerate(group["hooks"]) if is_hook(hook))
        found.append((event, f"{path}:{_snake(event)}:{place[2]}:{number}", _hash(event, group, number)))
    return found


def _trust(kept: Entry, digest: str) -> str:
    if kept.get("enabled") is False:
        return "disabled"
    return "untrusted" if "trusted_hash" not in kept else "trusted" if kept["trusted_hash"] == digest else "modified"


def _trusted_hooks(settings: bytes | None) -> Entry:
    """Return the state of each hook in Codex CLI's own settings, by key; {} if they cannot be understood."""
    try:
        state = get(tomllib.loads((settings or b"").decode("utf-8-sig")), ("hooks", "state"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return state if isinstance(state, dict) else {}


def _hash(event: str, group: Entry, number: int) -> str:
    """Return the digest that Codex CLI 0.169 keeps of a hook: of its event, matcher and handler, as sorted JSON."""
    hook = group["hooks"][number]
    handler = {"timeout": _TIMEOUT_S, **(_OF_COMMANDS if hook.get("type") == "command" else {}), **hook}
    matcher = {"matcher": group["matcher"]} if "matcher" in group else {}
    identity = {"event_name": _snake(event), **matcher, "hooks": [handler]}
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _snake(event: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", event).lower()


# --- what is to be trusted ---------------------------------------------------------------------------------


def trust_pieces(scope: str, choice: Choice) -> list[Piece]:
    """Return the piece that trusts the hooks that install writes or has written; raises `CannotChange`."""
    (hooks,) = (piece for piece in pieces(_CLIENT, scope, choice) if piece.what == "hooks")
    wanted = None
    with suppress(NotMergeable):  # then the file holds none of our hooks
        wanted = hooks.content.installed(present_at(hooks.path))
    digests = {key: digest for _, key, digest in _digests(scope, wanted)}
    return [Piece(_CLIENT, "trust", folder(_CLIENT, USER)[0], _trust_path(), TrustFile(digests), _PRIVATE)]


@dataclass(frozen=True)
class TrustFile(Merged):
    """The tables at the end of Codex CLI's own settings that hold the digest of each trusted hook, by its key."""

    digests: dict[str, str]

    def put(self, text: str) -> str:
        known = _state(text)
        for key, digest in self.digests.items():
            if key not in known:
                text = append(text, _block(key, digest))
            elif known[key].get(_DIGEST) != digest:
                text = _edited(text, key, digest)
        known = _state(text)
        if any(known.get(key, {}).get(_DIGEST) != digest for key, digest in self.digests.items()):
            raise NotMergeable("hooks.state is laid out in a way that cannot be changed safely")
        return text

    def strip(self, text: str, original: str | None) -> str:
        for key, found in _state(text).items():
            if key in self.digests:
                try:
                    text = cut(text, _block(key, found[_DIGEST]))
                except (ValueError, KeyError):
                    text = _edited(text, key, None)
        return text

    def view(self, text: str) -> str:
        known = _state(text)
        return "".join(_block(key, known[key][_DIGEST]) for key in self.digests if _DIGEST in known.get(key, {}))

    def as_found(self, text: str) -> Self:
        found = {
            key: entry[_DIGEST] for key, entry in _state(text).items() if key in self.digests and _DIGEST in entry
        }
        return replace(self, digests=found)

    def asks(self, verb: str, present: bytes) -> bool:
        return False

    def is_empty(self, text: str) -> bool:
        return not text.strip()

    def by_hand(self) -> str:
        return "".join(_block(key, digest) for key, digest in self.digests.items())


def _state(text: str) -> dict[str, dict[str, Any]]:
    return {key: entry for key, entry in _trusted_hooks(text.encode()).items() if isinstance(entry, dict)}


def _block(key: str, digest: str) -> str:
    import tomlkit

    return f"[hooks.state.{tomlkit.string(key).as_string()}]\n{_DIGEST} = {tomlkit.string(digest).as_string()}\n"


def _edited(text: str, key: str, digest: str | None) -> str:
    """Return the text with a new digest for a hook, or without the hook if `digest` is None."""
    import tomlkit

    document: Any = tomlkit.parse(text)
    if digest is None:
        del document["hooks"]["state"][key]
    else:
        document["hooks"]["state"][key][_DIGEST] = digest
    return tomlkit.dumps(document)
