"""Strays that a sync tool leaves among delivered and claimed messages: conflict copies, and files that came back.

A router looks for them between two passes, because then it has no claims of its own.
"""

from ai_bridge.errors import ConflictCopy, disk_error
from ai_bridge.mailboxes import conflicts
from ai_bridge.mailboxes.outbox import PROCESSING, UNREAD, Outbox
from ai_bridge.router.recover import recover
from ai_bridge.router.route import Router
from ai_bridge.router.set_aside import take_back
from ai_bridge.router.step import Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def tidy(router: Router) -> "Iterator[Step]":
    """Set conflict copies aside, and release claimed files that a sync tool put back; yields the steps.

    The caller holds the router locks and has no claim.
    """
    outboxes = router.refresh()
    if any(_is_claimed(router, outbox) for outbox in outboxes):
        yield from recover(router)
    for outbox in outboxes:
        for name in outbox.visible(UNREAD):
            if (made_of := conflicts.original(name)) and router.serves_mover(outbox, name, []):
                yield _set_aside(router, outbox, name, made_of)


def _is_claimed(router: Router, outbox: Outbox) -> bool:
    return any(router.may_be_ours(name) for name in outbox.visible(PROCESSING))


def _set_aside(router: Router, outbox: Outbox, name: str, made_of: str) -> Step:
    try:
        kept, why = take_back(router.mailboxes, outbox, name, ConflictCopy(name=name, original=made_of))
    except OSError as error:
        return Step("retry", outbox, name, str(disk_error(outbox.path, error)))
    return Step("reject", outbox, kept, why)
