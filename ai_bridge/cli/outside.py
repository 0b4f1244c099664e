"""The notes of `send` about projects: who is outside the sender's project, and a sender of another project."""

from ai_bridge.agents import projects
from ai_bridge.agents.resolve import leaving
from ai_bridge.mailboxes import find
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.message.address import project_of


def notes(where: Snapshot, sender: str, recipients: list[str]) -> str:
    """Return the notes, one line each; '' if mail and sender stay in the project of this folder."""
    away = leaving(where, sender, recipients)
    said = f"note: {', '.join(away)} {'is' if len(away) == 1 else 'are'} outside your project\n" if away else ""
    return said + _about_sender(where, sender)


def _about_sender(where: Snapshot, sender: str) -> str:
    """Return a note if the sender belongs to another project than this folder, in the user's own mailboxes."""
    own = project_of(sender)
    if not own or not find.is_users_own(where) or own == (here := projects.here()):
        return ""
    return f"note: you wrote as {sender}, an agent of the project {own}; this folder is of the project {here}\n"
