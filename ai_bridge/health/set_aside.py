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
    """Return the finding about a held file; its reason usually names the commands that let it go on."""
    fix = f"ai-bridge allow {place.outbox.owner}"
    what = f"held: {printable(place.name)}: {place.reason() or _UNKNOWN}"
    if "`ai-bridge allow" in what:
        return Finding(DIRECTORIES[HELD], OK, what)
    return Finding(DIRECTORIES[HELD], OK, f"{what}; `{fix}` lets it go on", fix)


def _malformed(place: Place) -> Finding:
    where, what = DIRECTORIES[MALFORMED], f"malformed: {printable(place.name)}: {place.reason() or _UNKNOWN}"
    path = printable(place.path)
    if path != place.path:
        return Finding(where, NOTE, f"{what}; repair {path} under a plain name and restore it, or remove it")
    fix = f"ai-bridge restore {shlex.quote(f'{place.outbox.owner}/{place.name}')}"
    return Finding(where, NOTE, f"{what}; repair {path}, then `{fix}`, or remove it", fix)
