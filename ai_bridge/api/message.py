"""Messages, as Python programs see them: those that were sent, and those that are read."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ai_bridge import settings
from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes import compose
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.message import message
from ai_bridge.sending.await_read import await_read


class Sent:
    """A message that was sent: its `id`, its `recipients`, and the `paths` at which its copies were dropped.

    `rings` is how many sessions a message to several agents rings; None if it is to one. `absent` has a sentence for
    each recipient that has been away for a day, or whose session has ended.

    Example:
        >>> sent = claude.send("gemini", "hello")
        >>> len(sent.paths)
        1
    """

    def __init__(self, tree: Tree, sender: str, sent: compose.Sent, absent: list[str]) -> None:
        self._tree = tree
        self._sender = sender
        self._sent = sent
        self.id = sent.id
        self.recipients = sent.recipients
        self.paths = sent.paths
        self.rings = sent.rings
        self.absent = absent

    def __repr__(self) -> str:
        return f"<Sent {self.id} to {', '.join(self.recipients)}>"

    def wait_read(self, timeout_s: float) -> list[Place]:
        """Wait until every copy is read or malformed.

        Args:
            timeout_s: The longest wait, in seconds.

        Returns:
            Where each copy is then, in the order of `recipients`; see `Mailboxes.trace`.

        Raises:
            BridgeError: The mailboxes are gone.
            OSError: The disk refused.

        Example:
            >>> [place.state for place in sent.wait_read(timeout_s=60)]
            ['read']
        """
        loaded = settings.load(self._tree.path)
        return await_read(self._tree, [self._sent], self._sender, timeout_s, loaded)


class Message:
    """A message as it was read: the texts of its headers and its body.

    `sender` is the agent that sent it, and `id` names it; `subject` and `body` are its texts. `recipients` are the
    agents whose copies were found: of a message that is read only its reader, of one that `search` found all.
    `thread` is the ID of the first message of its thread, `reply_to` the ID of the one it answers; None if there is
    none. `headers` are all headers by their names. `path` is where its file was found.

    Example:
        >>> message.sender, message.subject, message.body
        ('claude', 'review', 'please review')
    """

    def __init__(
        self,
        content: message.Message,
        path: str,
        acknowledge: Callable[[], bool] = lambda: False,
        recipients: list[str] | None = None,
    ) -> None:
        self.id = content.id
        self.sender = content.sender
        self.recipients = recipients or content.recipients
        self.subject = content.subject
        self.thread = content.thread
        self.reply_to = content.get("In-Reply-To")
        self.body = content.body
        self.headers = dict(content.headers)
        self.path = path
        self._acknowledge = acknowledge

    def __repr__(self) -> str:
        return f"<Message {self.id} from {self.sender}: {self.subject!r}>"

    def acknowledge(self) -> bool:
        """Mark the message as read.

        Returns:
            True if it was unread until now: of several readers it is True for one.

        Raises:
            BridgeError: Another session is reading just now, the agent lives on another machine by now, or the
                mailboxes are gone or newer. The message stays unread.
            OSError: The disk refused, and the message stays unread.

        Example:
            >>> message.acknowledge()
            True
        """
        return self._acknowledge()


def unread(waiting: Waiting, acknowledge: Callable[[Waiting], bool]) -> Message | None:
    """Return an unread message, which `acknowledge` marks as read; None if it is gone, or cannot be read."""
    try:
        return Message(waiting.load(), waiting.path, partial(acknowledge, waiting))
    except (BridgeError, OSError):
        return None


def is_readable(waiting: Waiting) -> bool:
    """Tell whether the file of an unread message can be read as a message now."""
    try:
        waiting.load()
    except (BridgeError, OSError):
        return False
    return True


def past(copies: list[Place]) -> Message | None:
    """Return the message of these copies; None if it is gone, or the first copy cannot be read."""
    place, recipients = copies[0], [copy.recipient for copy in copies if copy.recipient]
    try:
        return Message(place.load(), place.path, recipients=recipients)
    except (BridgeError, OSError):
        return None
