"""Limits that stop endless talk between agents, and keep strangers out; checked before a send, and again by `gate`.

A thread may go `max_hops` answers deep after a person last wrote or approved. Two agents may exchange
`pair_per_hour` messages in an hour (see `pairs`). A recipient's card may refuse or hold a sender. A person's own
messages have no limit. A person may raise the limits with an allowance.
"""

from ai_bridge.agents import policy
from ai_bridge.agents.resolve import resolve_recipients
from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import address
from ai_bridge.sending import pairs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ai_bridge.settings import Settings


class ThreadTooLong(BridgeError):
    sentence = (
        "this thread has gone on for {limit} answers since a person last wrote or approved it (setting max_hops): "
        "a person lets it go on with `ai-bridge allow {thread}`"
    )
    for_model = (
        "this thread has gone on for {limit} answers since a person last wrote or approved it (setting max_hops): "
        "tell your user to run `ai-bridge allow {thread}`, if it is to go on"
    )


class HeldByCard(BridgeError):
    sentence = (
        "{recipient} holds mail from {sender} until a person approves it: "
        "`ai-bridge allow {thread}` lets this thread go on, `ai-bridge allow {sender}` all so far"
    )
    for_model = (
        "{recipient} holds mail from {sender} until a person approves it: "
        "tell your user to run `ai-bridge allow {thread}`, or `ai-bridge allow {sender}` for all so far"
    )


class HeldByDamage(BridgeError):
    sentence = (
        "the card of {recipient} is damaged ({damage}), so nobody can tell whose mail it holds: "
        "repair it with `ai-bridge card edit {recipient}`; then, or at once, `ai-bridge allow {thread}` lets this "
        "thread go on, `ai-bridge allow {sender}` all so far"
    )
    for_model = (
        "the card of {recipient} is damaged ({damage}), and its mail is held: tell your user to run "
        "`ai-bridge card edit {recipient}`, then `ai-bridge allow {thread}`"
    )


class NotSent(BridgeError):
    """None of the messages was sent, because of the limit `why`."""

    sentence = "{why}; nothing was sent"
    for_model = "nothing was sent: {why}"


class NotSentByModel(NotSent):
    """As `NotSent`, to a model that reads standard error in the shell of its client."""

    sentence = "nothing was sent: {why}"


def check(
    mailboxes: Tree,
    sender: str,
    drafts: list[Draft],
    settings: "Settings",
    by_person: bool = False,
    by_model: bool = False,
) -> None:
    """Check that the drafts may be sent, and change them: their recipients become known addresses.

    A draft to everybody (`*`) or a group skips recipients whose card refuses the sender. If `by_person`, the drafts
    are marked as a person's own (`hops` 0), and the limits of threads and pairs do not apply. If `by_model`, they are
    marked as composed by a model, and count toward the limit of the pair. Raises `RefusedByCard`, `NotSent` with the
    limit that is reached, another `BridgeError` for a recipient that is not known, or OSError.
    """
    mailboxes.known_agent(sender)
    for draft in drafts:
        draft.recipients = _willing(mailboxes, sender, draft.recipients, draft.project)
        if by_person:
            draft.hops = 0
        if by_model:
            draft.extra[pairs.HEADER] = pairs.MODEL
    if by_person:
        return
    for draft in drafts:
        _check_thread(mailboxes, draft, settings.max_hops, by_model)
    if settings.pair_per_hour:
        _check_pairs(mailboxes, sender, drafts, settings.pair_per_hour, by_model)


def _willing(mailboxes: Tree, sender: str, wanted: list[str], project: str | None) -> list[str]:
    found = resolve_recipients(mailboxes, sender, wanted, project)
    asked = {recipient: policy.refusal(mailboxes, recipient, sender) for recipient in found}
    refusals = {recipient: refusal for recipient, refusal in asked.items() if refusal is not None}
    if refusals:
        named = set(found) if len(refusals) == len(found) else _named(mailboxes, sender, wanted, project)
        for refusal in (refusal for recipient, refusal in refusals.items() if recipient in named):
            raise refusal
    return [recipient for recipient in found if recipient not in refusals]


def _named(mailboxes: Tree, sender: str, wanted: list[str], project: str | None) -> set[str]:
    """Return the recipients that are named by themselves, and not only as one of everybody or of a group."""
    entries = [entry for text in wanted for entry in address.split_list(text)]
    alone = [entry for entry in entries if not entry.startswith(address.GROUP)]
    if not alone or address.EVERYONE in entries:
        return set()
    return set(resolve_recipients(mailboxes, sender, alone, project))


def _not_sent(refusal: BridgeError, by_model: bool) -> NotSent:
    """Return the refusal of a send in the words for its reader: a person, or a model that a client started."""
    return NotSentByModel(why=refusal.to_model()) if by_model else NotSent(why=refusal)


def _check_thread(mailboxes: Tree, draft: Draft, limit: int, by_model: bool) -> None:
    if not limit or draft.hops is None or draft.hops <= limit:
        return
    thread = draft.thread or draft.in_reply_to or ""
    if draft.hops > (limit := hops_allowed(mailboxes, thread, limit)):
        raise _not_sent(ThreadTooLong(limit=limit, thread=thread), by_model)


def hops_allowed(mailboxes: Tree, thread: str, limit: int) -> int:
    """Return how many answers deep a thread may go: `limit`, or more if a person allowed more; raises OSError."""
    from ai_bridge.sending import allowances

    found = allowances.of_thread(mailboxes, thread)
    return max(limit, found.hops) if found else limit


def _check_pairs(mailboxes: Tree, sender: str, drafts: list[Draft], limit: int, by_model: bool) -> None:
    for recipient, number in pairs.wanted(drafts).items():
        if (refusal := pairs.refusal(mailboxes, sender, recipient, number, limit, by_model)) is not None:
            raise _not_sent(refusal, by_model)
