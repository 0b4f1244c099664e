"""Discards malformed and held mail: it goes to the archive, with the reason and who discarded it, and is kept."""

import os

from ai_bridge.archive import archived, wishes
from ai_bridge.archive.movers import Movers
from ai_bridge.archive.wishes import A_PERSON, DISCARD, Wish
from ai_bridge.archive.withdraw import End, put_away
from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.outbox import ARCHIVED, HELD, MALFORMED
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.trace import Place, find
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.reference import View
from ai_bridge.system import durable


class CannotDiscard(BridgeError):
    sentence = (
        "{id} is {state}, not malformed or held: there is nothing to discard "
        "(its sender takes back unread mail with `ai-bridge withdraw`)"
    )
    for_model = "{id} is {state}, not malformed or held: there is nothing to discard"


class NotYours(BridgeError):
    sentence = "{id} is neither from nor to {agent}: only its sender, its recipient or a person may discard it"


def discard_copies(mailboxes: Tree, id_: str, by: str, view: View | None = None) -> list[End]:
    """Move the malformed and held copies of a message to the archive; returns what became of each.

    `by` is the address of the agent that discards it, or `A_PERSON`. A copy that another machine moves is asked for
    there. Raises what `find` does, `CannotDiscard`, `NotYours`, or OSError.
    """
    seen = Snapshot.of(mailboxes)
    places = find(seen, id_, view)
    open_ = [place for place in places if place.state in (MALFORMED, HELD)]
    if not open_:
        raise CannotDiscard(id=places[0].id, state=places[0].state)
    for place in open_:
        if not may_discard(place, by):
            raise NotYours(id=place.id, agent=by)
    movers, ends = Movers(seen), []
    for place in open_:
        machine = movers.machine_of(place.outbox.owner, place.name)
        if machine == movers.here:
            ends.append(put_aside(place, by))
        else:
            wishes.ask(mailboxes, Wish(DISCARD, f"{place.outbox.owner}/{place.name}", by))
            ends.append(End(place, f"asked: {machine} does it", done=True))
    return ends


def may_discard(place: Place, by: str) -> bool:
    """Tell whether `by` is a person, or the sender or the recipient of the message."""
    return by in (A_PERSON, place.outbox.owner, place.recipient.partition("~")[0])


def put_aside(place: Place, by: str) -> End:
    """Archive one malformed or held file, durably; changes the state of `place`. Raises OSError."""
    said, before = f"discarded by {by}", os.path.dirname(place.path)
    if place.state == HELD:
        moved = put_away(place, "discard held", f"{place.reason() or ''}\n{said}".strip())
    else:
        kept = archived.archive_malformed(place.outbox, place.name, said, "discard malformed")
        if moved := kept != "":
            place.name, place.state = kept, ARCHIVED
            archived.flush([place.outbox], MALFORMED)
            durable.flush_directory(before)
    return End(place, "discarded" if moved else "not discarded: another process moved it", done=moved)
