"""Everything that install registers, as a folder to share: a plugin of Claude Code, an extension of Gemini CLI.

These clients read `hooks/hooks.json`, each with events that the others refuse. So each has a folder of its own.
"""

from __future__ import annotations

import os

from ai_bridge import clients
from ai_bridge.install.entries import Choice
from ai_bridge.install.plan import Piece
from ai_bridge.install.plugin_files import plugin_files


def plugin_pieces(directory: str, choice: Choice) -> list[Piece]:
    """Return the files to write below the directory, in one folder per client that has its name."""
    base = os.path.abspath(directory)
    return [
        Piece(client.name, what, base, os.path.join(base, client.name, *parts), content)
        for client in clients.registrable()
        if client.files.plugin is not None
        for what, parts, content in plugin_files(client, client.files.plugin, choice)
    ]
