"""An answer takes its subject and its recipients from the answered message, unless it says its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_bridge.mailboxes.compose import BadSubject
from ai_bridge.mailboxes.outbox import DROPPED, HELD, READ, UNREAD
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import ReservedAddress, Tree
from ai_bridge.message import message
from ai_bridge.message.message import Message
from ai_bridge.message.reference import SeveralMessages
from ai_bridge.sending.answer import subject_to
from ai_bridge.sending.send import NoRecipient, Wanted, send
from tests.support.mail import post, put_message


def _sent(where: Tree, sender: str, wanted: Wanted) -> tuple[list[str], Message]:
    """Send; returns the recipients and the message."""
    (sent,) = send(Snapshot(where.path), sender, [wanted])
    return sent.recipients, message.parse(Path(sent.paths[0]).read_bytes())


def _answer(where: Tree, sender: str, id_: str, to_all: bool = False) -> list[str]:
    return _sent(where, sender, Wanted([], "yes", reply_to=id_, to_all=to_all))[0]


@pytest.mark.parametrize(
    ("subject", "answer"),
    [
        ("API frozen?", "Re: API frozen?"),
        ("Re: API frozen?", "Re: API frozen?"),
        ("RE:re: Re:  API", "Re: API"),
        ("Reply: no", "Re: Reply: no"),
        ("", "Re:"),
        ("Re:", "Re:"),
        ("über 👋", "Re: über 👋"),
        ("\u202egnp.exe", "Re: \\u202egnp.exe"),
        ("x" * 300, f"Re: {'x' * 195}…"),
    ],
)
def test_the_subject_of_an_answer_has_one_re(where: Tree, subject: str, answer: str) -> None:
    assert subject_to(subject) == answer
    id_ = post(where, subject=subject)
    assert _sent(where, "gemini", Wanted(["claude"], "yes", reply_to=id_))[1].subject == answer


def test_an_answer_may_have_a_subject_of_its_own(where: Tree) -> None:
    id_ = post(where, subject="API frozen?")
    for subject in ("mine", ""):
        assert _sent(where, "gemini", Wanted(["claude"], "yes", subject, reply_to=id_))[1].subject == subject
    with pytest.raises(BadSubject):
        send(Snapshot(where.path), "gemini", [Wanted(["claude"], "yes", "a\nb", reply_to=id_)])
    assert _sent(where, "gemini", Wanted(["claude"], "yes"))[1].subject == "message"


def test_an_answer_goes_to_the_sender_or_from_the_sender_to_the_recipients(where: Tree) -> None:
    where.make(["codex", "mini"])
    id_ = post(where, to="gemini, codex")
    assert _answer(where, "gemini", id_) == ["claude"]
    assert _answer(where, "mini", id_) == ["claude"]
    assert _answer(where, "claude", id_) == ["codex", "gemini"]


def test_an_answer_to_all_goes_to_everybody_but_me(where: Tree) -> None:
    where.make(["codex", "mini"])
    id_ = post(where, to="gemini, codex, mini")
    assert _answer(where, "gemini", id_, to_all=True) == ["claude", "codex", "mini"]
    assert _answer(where, "claude", id_, to_all=True) == ["codex", "gemini", "mini"]
    alone = post(where, to="gemini")
    assert _answer(where, "gemini", alone, to_all=True) == ["claude"]


def test_an_answer_to_my_own_note_to_myself_comes_to_me(where: Tree) -> None:
    assert _answer(where, "claude", post(where, to="claude")) == ["claude"]


def test_the_recipients_of_a_file_that_no_router_has_split_are_in_its_header(where: Tree) -> None:
    where.make(["codex"])
    put_message(where, DROPPED, "by hand.txt", "n1", "gemini, codex")
    assert _answer(where, "gemini", "n1", to_all=True) == ["claude", "codex"]


def test_the_sender_is_the_owner_of_the_outbox_whatever_the_header_says(where: Tree) -> None:
    where.make(["codex"])
    path = Path(put_message(where, HELD, "n1.gemini.txt"))
    path.write_text(path.read_text().replace("From: claude", "From: codex"))
    assert _answer(where, "gemini", "n1") == ["claude"]


def test_recipients_that_are_filled_in_are_whole_addresses(where: Tree) -> None:
    """To an agent of a project, `codex` is `codex@web`; the answer goes to the one that wrote."""
    where.make(["codex", "codex@web", "claude@web"])
    put = put_message(where, UNREAD, "n1.claude@web.txt", to="claude@web")
    Path(where.outbox("codex").file(UNREAD, "n1.claude@web.txt")).write_text(Path(put).read_text())
    Path(put).unlink()
    assert _answer(where, "claude@web", "n1") == ["codex"]


def test_nobody_answers_the_postmaster(where: Tree) -> None:
    where.outbox("postmaster").make()
    path = Path(where.outbox("postmaster").file(UNREAD, "n1.gemini.txt"))
    path.write_text("ID: n1\nFrom: postmaster\nTo: gemini\nSubject: s\n\nx")
    with pytest.raises(ReservedAddress):
        _answer(where, "gemini", "n1")


def test_without_a_recipient_and_an_answered_message_nothing_is_sent(where: Tree) -> None:
    with pytest.raises(NoRecipient, match="give one, or answer a message with --reply-to ID"):
        send(Snapshot(where.path), "claude", [Wanted([], "x")])


def test_an_id_of_two_senders_is_not_guessed(where: Tree) -> None:
    where.make(["codex"])
    put_message(where, UNREAD, "n1.gemini.txt")
    Path(where.outbox("codex").file(READ, "n1.gemini.txt")).write_text(
        "ID: n1\nFrom: codex\nTo: gemini\nSubject: s\n\nx"
    )
    with pytest.raises(SeveralMessages, match="claude/n1, codex/n1"):
        _answer(where, "gemini", "n1")
    assert _answer(where, "gemini", "codex/n1") == ["codex"]


def test_the_end_of_an_id_and_last_are_understood(where: Tree) -> None:
    id_ = post(where, subject="s")
    for text in (id_, id_[-4:], "last"):
        assert _sent(where, "gemini", Wanted([], "yes", reply_to=text))[1].get("In-Reply-To") == id_
