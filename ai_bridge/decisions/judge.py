"""Asks a judge, once, if the voters of a decision are split: in the opener's name, and marked as automatic."""

from __future__ import annotations

from ai_bridge.agents import other_teams, presence
from ai_bridge.decisions import tally
from ai_bridge.decisions.decision import DISPUTED, OPEN, Decision
from ai_bridge.errors import Malformed
from ai_bridge.mailboxes import compose
from ai_bridge.mailboxes.compose import Draft, Sent
from ai_bridge.mailboxes.file_names import file_name
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, READ, UNREAD
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.message.ids import is_id
from ai_bridge.message.message import Message, parse
from ai_bridge.message.votes import JUDGE, MAJORITY, OBJECT, RULE_HEADER, RULES, voters_of
from ai_bridge.system import untrusted
from ai_bridge.text import shorten

_QUOTED = 6000


def see_to(mailboxes: Mailboxes, voter: str, vote: Message, recipient: str, limit: int) -> str:
    """Ask a judge if need be, before the vote is delivered; returns a sentence for the log, '' if nobody was asked.

    After a crash between the two a judge is asked again, rather than never. It raises nothing, so that no trouble
    keeps a vote from being delivered.
    """
    try:
        asked = ask_if_split(mailboxes, voter, vote, recipient, limit)
    except Exception as trouble:  # not even a fault of our own may keep a vote from being delivered
        return f"no judge could be asked: {trouble}"
    return f"the decision is split: {', '.join(asked.recipients)} asked to judge" if asked else ""


def ask_if_split(mailboxes: Mailboxes, voter: str, vote: Message, recipient: str, limit: int) -> Sent | None:
    """Ask a judge if this vote, about to be delivered, is the last and leaves a decision by majority undecided.

    Only the opener's own copy counts, so one router asks. It asks once, because an earlier request is found in the
    thread. Returns the request that was sent, None if none was; `limit` is the largest message in bytes. Raises a
    `BridgeError` or OSError.
    """
    if not _was_asked(mailboxes, voter, vote.thread or "", recipient):
        return None
    decision = tally.tally(mailboxes, vote.thread or "", (voter, vote))
    is_settled = decision.missing or decision.state not in (OPEN, DISPUTED)
    if recipient != decision.opener or decision.rule != MAJORITY or is_settled:
        return None
    if not (judges := _judges(mailboxes, decision)):
        return None
    return compose.compose_and_drop(mailboxes, decision.opener, [_request(decision, judges)], limit)[0]


def _was_asked(mailboxes: Mailboxes, voter: str, thread: str, opener: str) -> bool:
    """Tell, by a look at one name, whether `opener` asked this voter to decide: other mail costs no more."""
    outbox, name = mailboxes.outbox(opener), file_name(thread, voter)
    if not is_id(thread):
        return False
    for state in (READ, UNREAD, PROCESSING, DROPPED):
        try:
            asked = parse(untrusted.read_delivered(outbox.file(state, name)))
        except (OSError, Malformed):
            continue
        return asked.get(RULE_HEADER) in RULES and voter in voters_of(asked)
    return False


def _judges(mailboxes: Mailboxes, decision: Decision) -> list[str]:
    """Return the agents to ask: voters who were not written to yet, else, if the vote is split, one other agent.

    An agent that is online comes first, else the one last seen, which finds the request with its mail. Among several,
    an agent of the opener's project comes first, and one that is no further session of a voter. An agent of another
    team is never asked.
    """
    agents = set(mailboxes.agents())
    reserve = [voter for voter in decision.reserve if voter in agents]
    if reserve or decision.state != DISPUTED:
        return reserve
    seen = {name: one.seen for name, one in presence.all_presences(mailboxes).items()}
    awake, others = presence.online(mailboxes), agents - set(decision.voters) - other_teams.linked(mailboxes).keys()
    project, voting = decision.opener.partition("@")[2], {_agent_of(voter) for voter in decision.voters}

    def rank(one: str) -> tuple[object, ...]:
        last = 0.0 if one in awake else -seen.get(one, 0.0)
        return (one not in awake, last, one.partition("@")[2] != project, _agent_of(one) in voting, one)

    return sorted(others, key=rank)[:1]


def _agent_of(session: str) -> str:
    """Return the agent to which a further session belongs: `claude` for `claude-2`."""
    name = session.partition("@")[0]
    agent, dash, number = name.rpartition("-")
    return agent if dash and number.isdigit() else name


def _request(decision: Decision, judges: list[str]) -> Draft:
    opener, subject = decision.opener, decision.opening.subject
    against = [vote for vote in decision.votes.values() if vote.tag == OBJECT]
    objectors = ", ".join(vote.sender for vote in against)
    why = f"{opener} and {objectors} do not agree" if against else f"{opener} needs more votes"
    parts = [
        f'You are asked to judge, automatically: {why} on "{subject}".',
        f"{opener} proposes:\n\n{_quoted(decision.opening.body)}",
        *(f"{vote.sender} objects:\n\n{_quoted(vote.message.body)}" for vote in against),
        f'Read the whole thread with peer_history(thread="{decision.id}") if you need more. Form a view of your '
        f"own, then answer {opener}, with reply_to=<ID of this message>: begin a line with [LGTM] to approve what is "
        f"proposed, or with [CONTINUE] and what must change.{' Your voice decides.' * (len(judges) == 1)}\n",
    ]
    headers = {RULE_HEADER: JUDGE, "Auto-Submitted": "auto-generated"}
    line = shorten(f"judge: {subject}", 200)
    return Draft(judges, "\n\n".join(parts), line, decision.id, decision.id, extra=headers)


def _quoted(body: str) -> str:
    """Return a text as a quotation; of a long text, only the beginning."""
    kept = body.strip()[:_QUOTED]
    more = f"\n> … ({len(body)} characters in all)" if len(kept) < len(body.strip()) else ""
    return "\n".join(f"> {line}" for line in kept.split("\n")) + more
