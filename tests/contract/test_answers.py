"""An answer has the subject of the answered message behind one `Re:`, by every way to send."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

import ai_bridge
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.tree import Tree
from tests.contract.ways import called_send, id_in
from tests.support.checkout import ROOT
from tests.support.command import command
from tests.support.mail import post

Answer = Callable[[Tree, str, str | None], str]


def _python(where: Tree, id_: str, subject: str | None) -> str:
    return ai_bridge.Mailboxes(where.path).agent("gemini").send("claude", "yes", reply_to=id_, subject=subject).id


def _send(where: Tree, id_: str, subject: str | None) -> str:
    return _typed(where, "send", "claude", *([] if subject is None else [subject]), "--reply-to", id_)


def _reply(where: Tree, id_: str, subject: str | None) -> str:
    return _typed(where, "reply", id_, *([] if subject is None else ["--subject", subject]))


def _typed(where: Tree, *words: str) -> str:
    done = command(*words, "--from", "gemini", "--mailboxes", where.path, body="yes")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def _shell(where: Tree, id_: str, subject: str | None) -> str:
    words = [ROOT / "management" / "send.sh", "claude", *([] if subject is None else [subject])]
    words += ["--from", "gemini", "--mailboxes", where.path, "--reply-to", id_]
    return subprocess.run(words, input=b"yes", capture_output=True, timeout=60, check=True).stdout.decode().strip()


def _model(where: Tree, id_: str, subject: str | None) -> str:
    words = {"body": "yes", "reply_to": id_} | ({} if subject is None else {"subject": subject})
    said = called_send(where, words, "gemini")
    assert said.startswith("Sent to claude. ID: ")
    return id_in(said)


WAYS: dict[str, Answer] = {"python": _python, "send": _send, "reply": _reply, "send.sh": _shell, "mcp": _model}


@pytest.fixture(params=WAYS)
def answer(request: pytest.FixtureRequest) -> Answer:
    return WAYS[request.param]


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("API frozen?", "Re: API frozen?"),
        ("Re: API frozen?", "Re: API frozen?"),
        ("RE: re:Re:  a * b", "Re: a * b"),
        ("", "Re:"),
        ("grüße 👋", "Re: grüße 👋"),
        ("a: b\\n$(id) `id`", "Re: a: b\\n$(id) `id`"),
    ],
)
def test_the_subject_is_that_of_the_answered_message(
    where: Tree, answer: Answer, subject: str, expected: str
) -> None:
    question = post(where, subject=subject)
    found = trace.find(where, answer(where, question, None))[0].load()
    assert (found.subject, found.get("In-Reply-To"), found.recipients) == (expected, question, ["claude"])


def test_a_chain_of_answers_keeps_one_re(where: Tree, answer: Answer) -> None:
    question = post(where, subject="API frozen?")
    first = answer(where, question, None)
    again = post(where, "more", to="gemini", subject="Re: API frozen?", in_reply_to=first, thread=question)
    found = trace.find(where, answer(where, again, None))[0].load()
    assert (found.subject, found.thread) == ("Re: API frozen?", question)


def test_a_subject_of_its_own_is_kept(where: Tree, answer: Answer) -> None:
    question = post(where, subject="API frozen?")
    assert trace.find(where, answer(where, question, "mine"))[0].load().subject == "mine"
