"""Finds out which message somebody means who typed an ID, the end of one, or `last`.

An exact ID always means its own message, and costs nothing here. Only if there is none, the text is looked for as the
end of an ID (`ends`).
"""

from ai_bridge.errors import NoSuchMessage
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import NotUnread
from ai_bridge.message import reference
from ai_bridge.message.reference import View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from ai_bridge.history.query import Query
    from ai_bridge.history.search import Found

    Answer = TypeVar("Answer")

# The word for the newest message.
LAST = "last"


def message(mailboxes: Tree, text: str, view: View, find: "Callable[[str], Answer]") -> "Answer":
    """Return `find(text)`; if there is no message with that ID, `find` of the ID that `text` stands for.

    Raises what `find` and `ends.exact` raise.
    """
    if text == LAST:
        return find(_exact(mailboxes, text, view))
    try:
        return find(text)
    except NoSuchMessage as refusal:
        try:
            found = _exact(mailboxes, text, view)
        except NoSuchMessage:
            raise refusal from None
    return find(found)


def unread(mailboxes: Tree, texts: list[str], view: View, act: "Callable[[list[str]], Answer]") -> "Answer":
    """Return `act(texts)`; if one of them is not unread, `act` of the IDs that the texts stand for.

    Raises what `act` and `ends.exact` raise.
    """
    try:
        return act(texts)
    except NotUnread:
        found = [_or_itself(mailboxes, text, view) for text in texts]
        if found == texts:
            raise
    return act(found)


def past(mailboxes: Tree, query: "Query", view: View) -> "Found":
    """Return what `search.find_as_asked` does; `query.thread` and `query.before` may be what `message` takes.

    Changes the query. Raises what these two raise.
    """
    from ai_bridge.history import search  # an answer to an exact ID does without it

    try:
        return search.find_as_asked(mailboxes, query)
    except NoSuchMessage:
        before = query.thread, query.before
        query.thread, query.before = (text and _id_of(mailboxes, text, view) for text in before)
        if before == (query.thread, query.before):
            raise
    return search.find_as_asked(mailboxes, query)


def _id_of(mailboxes: Tree, text: str, view: View) -> str:
    """Return the ID alone, without its sender, of the message that the text means."""
    return reference.split(_or_itself(mailboxes, text, view))[1]


def _or_itself(mailboxes: Tree, text: str, view: View) -> str:
    """Return the ID that the text stands for, and the text itself if it is an ID or stands for none."""
    try:
        return message(mailboxes, text, view, lambda id_: id_ if trace.find(mailboxes, id_, view) else "")
    except NoSuchMessage:
        return text


def _exact(mailboxes: Tree, text: str, view: View) -> str:
    from ai_bridge.history import ends  # most texts are exact IDs, which need no index

    return ends.last(mailboxes, view.agent) if text == LAST else ends.exact(mailboxes, text)
