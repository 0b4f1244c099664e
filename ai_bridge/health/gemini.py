"""Whether the person let Gemini CLI use what a project registers."""

from __future__ import annotations

import os

from ai_bridge.clients.files import USER
from ai_bridge.clients.gemini_cli import GEMINI_CLI
from ai_bridge.health.switches import at, read
from ai_bridge.install.places import folder


def is_approved(project: str) -> bool:
    """Tell whether Gemini CLI trusts that folder.

    Source: Gemini CLI notes trusted folders, and trusts everything inside them. The user may switch this off.
    """
    _, inside = folder(GEMINI_CLI.name, USER)
    if at(read(os.path.join(inside, "settings.json")), "security", "folderTrust", "enabled") is False:
        return True
    for noted, trust in read(os.path.join(inside, "trustedFolders.json")).items():
        root = os.path.dirname(noted) if trust == "TRUST_PARENT" else noted
        if trust in ("TRUST_FOLDER", "TRUST_PARENT") and os.path.commonpath([root, project]) == root:
            return True
    return False
