"""The findings about mail that was set aside: each malformed or held file, its reason, and the command that helps."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ai_bridge.health.finding import NOTE, OK, Finding
from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.outbox import DIRECTORIES, HELD, MALFORMED, Outbox
from ai_bridge.mailboxes.trace import Place
from ai_bridge.text import printable

# Files that are shown one by one, of each kind in each outbox; the others are counted.
MOST = 5
_UNKNOWN = "no reason is kept for it"


def examine(outbox: Outbox, most: int = MOST) -> Iterator[Finding]:
    """Yield a finding for each of at most `most` malformed and `most` held files of an outbox, and one for the rest.

    Malformed mail is a NOTE. Held mail is OK: it waits for a person, as it should. Reads the reasons.
    """
    for state, level in ((HELD, OK), (MALFORMED, NOTE)):
        places = [Place(outbox, state, name, label(name)[1]) for name in outbox.visible(state)]
        for place in places[:most]:
            yield _held(place) if state == HELD else _malformed(place)
        if len(places) > most:
            fix = f"ai-bridge health --agent {outbox.owner} --all"
            yield Finding(DIRECTORIES[state], level, f"and {len(places) - most} more {state}: `{fix}` lists all", fix)


def _held(place: Place) -> Finding:
    why, fix = way_on(place)
    return Finding(DIRECTORIES[HELD], OK, f"held: {printable(place.name)}: {why}", fix)


def _malformed(place: Place) -> Finding:
    why, fix = way_on(place)
    return Finding(DIRECTORIES[MALFORMED], NOTE, f"malformed: {printable(place.name)}: {why}", fix)


def way_on(place: Place) -> tuple[str, str]:
    """Return why a held or malformed file was set aside and how it goes on, and the command for that.

    The command is '' if the reason itself names it, or if no command can name the file. Reads the reason.
    """
    why = place.reason() or _UNKNOWN
    if place.state == HELD:
        fix = f"ai-bridge allow {place.outbox.owner}"
        return (why, "") if "`ai-bridge allow" in why else (f"{why}; `{fix}` lets it go on", fix)
    path = printable(place.path)
    if path != place.path:
        return f"{why}; repair {path} under a plain name and restore it, or remove it", ""
    fix = f"ai-bridge restore {shlex.quote(f'{place.outbox.owner}/{place.name}')}"
    return f"{why}; repair {path}, then `{fix}`, or remove it", fix
