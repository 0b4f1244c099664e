"""The one way to send: from what a sender wants to say to files that lie durably in its outbox.

The command line, the MCP tools and the Python API call `send`.
"""

from ai_bridge.agents.resolve import project_for
from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.compose import DEFAULT_SUBJECT, Draft, Sent, check, check_subject, compose_and_drop
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.sending import audience, limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ai_bridge.message.reference import View


class VotersAlone(BridgeError):
    sentence = "--voters goes with --decide majority or --decide unanimous"
    for_model = 'voters go with decide: say decide="majority" or decide="unanimous"'


class NoRecipient(BridgeError):
    sentence = "the message names no recipient: give one, or answer a message with --reply-to ID"
    for_model = "the message names no recipient: give 'to', or reply_to, which answers its sender"


class Wanted:
    """A message that somebody wants to send; None stands for what is not given.

    `to` is a list of addresses, short names or `*`, each text as in the header `To`. `reply_to` is the ID of the
    answered message, the end of that ID, or `last`. An answer whose `to` is empty goes to the sender of the answered
    message and, if `to_all`, to that message's other recipients. `context` names files, or lines of them, to send
    along. `decide` is the rule of a decision that the message opens, and `voters` names who votes. An empty body is
    refused unless `allow_empty`. `expires` is a duration (`90m`): if the message is unread by then, nobody is shown
    it. `urgency` is `now`, `next` or `quiet`; None stands for `next`.
    """

    __slots__ = (
        *("allow_empty", "body", "context", "decide", "expires", "reply_to", "subject", "to", "to_all"),
        *("urgency", "voters"),
    )

    def __init__(
        self,
        to: "list[str]",
        body: str,
        subject: str | None = None,
        reply_to: str | None = None,
        context: "list[str] | None" = None,
        decide: str | None = None,
        voters: "list[str] | None" = None,
        allow_empty: bool = False,
        to_all: bool = False,
        expires: str | None = None,
        urgency: str | None = None,
    ) -> None:
        self.to = to
        self.to_all = to_all
        self.body = body
        self.subject = subject
        self.reply_to = reply_to
        self.context = context
        self.decide = decide
        self.voters = voters
        self.allow_empty = allow_empty
        self.expires = expires
        self.urgency = urgency


def send(
    mailboxes: Snapshot,
    sender: str,
    wanted: "list[Wanted]",
    by_person: bool = False,
    by_model: bool = False,
    view: "View | None" = None,
) -> list[Sent]:
    """Send the messages in their order, with one flush, and return them as accepted; if one is refused, none is sent.

    `sender` is the address of an agent with an outbox. If `by_person`, the messages count as a person's own, which
    have no limits. If `by_model`, they say that a model composed them, and only files in the project may be sent
    along. `view` tells which message an ID in `reply_to` means; None stands for all that the sender can see. Changes
    the disk. Raises a `BridgeError` or OSError if nothing was sent, and `PartlySent`, which names what was sent, if
    the disk failed midway.
    """
    project = project_for(mailboxes, sender)
    drafts = [_draft(mailboxes, sender, one, view, project) for one in wanted]
    limits.check(mailboxes, sender, drafts, mailboxes.settings(), by_person, by_model)
    if any(one.context for one in wanted):
        _take_excerpts(mailboxes, sender, drafts, wanted, by_model)
    sent = compose_and_drop(mailboxes, sender, drafts, mailboxes.settings().max_message_bytes)
    for one, asked in zip(sent, wanted, strict=True):
        if audience.is_broadcast(asked.to, one.recipients):
            one.rings = audience.rung(mailboxes, one.recipients, asked.urgency)
    return sent


def check_alone(mailboxes: Snapshot, sender: str, wanted: Wanted, by_person: bool = False) -> None:
    """Raise what `send` raises for this message alone, except for what its files hold; sends nothing."""
    draft = _draft(mailboxes, sender, wanted, None, project_for(mailboxes, sender))
    limits.check(mailboxes, sender, [draft], mailboxes.settings(), by_person)
    check(mailboxes, sender, draft, mailboxes.settings().max_message_bytes)


def _draft(mailboxes: Snapshot, sender: str, wanted: Wanted, view: "View | None", project: str) -> Draft:
    subject = DEFAULT_SUBJECT if wanted.subject is None else wanted.subject
    draft = Draft(wanted.to, wanted.body, subject, allow_empty=wanted.allow_empty, project=project)
    if wanted.reply_to:
        from ai_bridge.message.reference import View  # most messages answer nothing
        from ai_bridge.sending import answer

        subject = answer.begin(mailboxes, sender, draft, wanted.reply_to, view or View(sender), wanted.to_all)
        draft.subject = subject if wanted.subject is None else wanted.subject
    elif not wanted.to:
        raise NoRecipient()
    if wanted.decide is not None:
        from ai_bridge.decisions.opening import begin  # most messages open no decision

        begin(mailboxes, sender, draft, wanted.decide, wanted.voters)
    elif wanted.voters is not None:
        raise VotersAlone()
    if wanted.expires is not None:
        from ai_bridge.message import expiry  # most messages do not expire
        from ai_bridge.system import times

        draft.extra |= expiry.header(times.parse_duration(wanted.expires, "expires"))
    if wanted.urgency is not None:
        from ai_bridge.message import urgency  # most messages do not say

        draft.extra |= urgency.header(wanted.urgency)
    check_subject(draft.subject)
    return draft


def _take_excerpts(
    mailboxes: Snapshot, sender: str, drafts: list[Draft], wanted: "list[Wanted]", by_model: bool
) -> None:
    """Change the drafts to hold their excerpts; once all are checked, store what does not fit as attachments."""
    from ai_bridge.clients import project  # most messages carry no file
    from ai_bridge.mailboxes import attachments
    from ai_bridge.message import context

    folder, contents = project.folder(), {}
    for draft, one in zip(drafts, wanted, strict=True):
        if one.context:
            prepared = context.prepare(draft.body, one.context, mailboxes.settings(), folder, by_model)
            draft.body, draft.extra[context.HEADER] = prepared.body, prepared.header
            contents.update(prepared.attached)
    attachments.store(mailboxes.outbox(sender), contents)
