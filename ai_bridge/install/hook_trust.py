"""The trust that Codex CLI wants of its person before it runs hooks: given for ours alone, where the person says so.

Source: Codex CLI 0.169, which notes in the person's own settings, for each hook it was told to trust, a digest of it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Self

from ai_bridge.install.content import Merged
from ai_bridge.install.entries import Choice
from ai_bridge.install.json_edit import NotMergeable
from ai_bridge.install.pieces import pieces
from ai_bridge.install.places import folder
from ai_bridge.install.plan import Piece, present_at
from ai_bridge.install.registered import hook_digests, trust_path, trusted_hooks
from ai_bridge.install.toml_file import append, cut

_PRIVATE = 0o600
_DIGEST = "trusted_hash"


def trust_pieces(scope: str, choice: Choice) -> list[Piece]:
    """Return what trusts the hooks that install writes, or has written; raises `CannotChange`."""
    (hooks,) = (piece for piece in pieces("codex", scope, choice) if piece.what == "hooks")
    wanted = None
    with suppress(NotMergeable):  # then there are none of ours in it
        wanted = hooks.content.installed(present_at(hooks.path))
    digests = {key: digest for _, key, digest in hook_digests(scope, wanted)}
    return [Piece("codex", "trust", folder("codex", "user")[0], trust_path(), TrustFile(digests), _PRIVATE)]


@dataclass(frozen=True)
class TrustFile(Merged):
    """Tables of digests by the keys of hooks, at the end of Codex CLI's own settings."""

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
    return {key: entry for key, entry in trusted_hooks(text.encode()).items() if isinstance(entry, dict)}


def _block(key: str, digest: str) -> str:
    import tomlkit

    return f"[hooks.state.{tomlkit.string(key).as_string()}]\n{_DIGEST} = {tomlkit.string(digest).as_string()}\n"


def _edited(text: str, key: str, digest: str | None) -> str:
    """Return the text with another digest for a hook, or without the hook."""
    import tomlkit

    document: Any = tomlkit.parse(text)
    if digest is None:
        del document["hooks"]["state"][key]
    else:
        document["hooks"]["state"][key][_DIGEST] = digest
    return tomlkit.dumps(document)
