"""Search by agent, thread and words finds what a plain walk over the files would, whatever happens to the index."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ai_bridge.errors import NoSuchMessage
from ai_bridge.history import database, entry, indexer, search
from ai_bridge.history.query import Query
from ai_bridge.history.search import Found
from ai_bridge.mailboxes.file_names import file_name
from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, PROCESSING, READ, UNREAD, Outbox
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import NotMailboxes, Tree
from ai_bridge.settings import Settings
from ai_bridge.system import untrusted
from ai_bridge.system.locks import Lock, holder
from tests.support.checkout import ROOT
from tests.support.mail import post, route
from tests.support.wait import until

AGENTS = ["claude", "gemini", "codex@web", "a-b_c"]
WORDS = ["build", "Fehler", "naïve", "tests", "testing", "of", "the", "42"]
LONG_AGO = 1_600_000_000 * 10**9


def put(where: Tree, name: str, body: str = "x", sender: str = "claude", state: str = READ, **more: str) -> str:
    """Write a message's file under that name; `more` are headers, the subject among them. Returns its path."""
    id_, _, recipient = name.removesuffix(".txt").rpartition(".")
    headers = {"ID": id_, "From": sender, "To": recipient.partition("~")[0], "Subject": "s", **more}
    text = "\n".join(f"{key}: {value}" for key, value in headers.items())
    path = where.outbox(sender).file(state, name)
    Path(path).write_text(f"{text}\n\n{body}")
    return path


def find(where: Tree, **words: object) -> list[str]:
    """Return the names of the files found, the newest last."""
    found = search.find(where, Query(**words))  # type: ignore[arg-type]
    assert found.complete
    return names(found.places)


def names(places: list[Place]) -> list[str]:
    """Return the places' names, each of which is the name of a file that is there."""
    assert all(os.path.lexists(place.path) for place in places)
    return [place.name for place in places]


class Clock:
    """Lets time pass: what changed since the last time is set to have changed long ago, each at a time of its own."""

    def __init__(self, where: Tree) -> None:
        self.where = where
        self.now = LONG_AGO

    def passes(self) -> None:
        for outbox in self.where.outboxes():
            for state in entry.STATES:
                directory = Path(outbox.directory(state))
                for path in [*(directory.glob("*.txt") if directory.is_dir() else ()), directory]:
                    if path.exists() and path.stat().st_mtime_ns > LONG_AGO + 10**15:
                        self.now += 1_000_000
                        os.utime(path, ns=(self.now, self.now))


@pytest.fixture
def clock(where: Tree) -> Clock:
    """Time that passes at one's bidding."""
    return Clock(where)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the message files that were opened, in turn."""
    seen: list[str] = []
    real = untrusted.read_delivered

    def read(path: str) -> bytes:
        seen.append(os.path.basename(path))
        return real(path)

    monkeypatch.setattr(untrusted, "read_delivered", read)
    return seen


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no other process."""
    monkeypatch.setattr(database, "_PATIENCE_S", 0.0)


# --- the plain walk it must equal -------------------------------------------------------------------------


def plain(where: Tree, query: Query) -> tuple[list[str], bool]:
    """Return the names of the files a query asks for, and whether there are more, by a walk over all files."""
    files = sorted(_all_files(where))
    if query.thread is not None:
        roots = [_header(path, "Thread") for _, _, name, path in files if _told(name)[0] == query.thread]
        root = next(filter(None, roots), query.thread)
        files = [file for file in files if root in (_told(file[2])[0], _header(file[3], "Thread"))]
    for one in (query.agent, query.peer):
        files = [file for file in files if one in (None, file[1], _told(file[2])[1])]
    if query.agent is not None and query.agent == query.peer:
        files = [file for file in files if file[1] == _told(file[2])[1]]
    files = [file for file in files if _holds(Path(file[3]).read_text(), query.words)]
    if query.before is not None:
        last = max(file[0] for file in _all_files(where) if query.before in (_told(file[2])[0], file[2]))
        files = [file for file in files if file[0] < last and _told(file[2])[0] != query.before]
    files = [file for file in files if file[0][0] >= query.since]
    messages = list(dict.fromkeys((owner, _told(name)[0]) for _, owner, name, _ in reversed(files)))
    newest = messages[: query.limit]
    found = [name for _, owner, name, _ in files if (owner, _told(name)[0]) in newest]
    return found, len(messages) > query.limit


def _all_files(where: Tree) -> Iterator[tuple[tuple[str, str], str, str, str]]:
    for outbox in where.outboxes():
        for state in (DROPPED, PROCESSING, UNREAD, READ):
            for name in outbox.visible(state):
                if _told(name)[0]:
                    yield outbox.order(state, name), outbox.owner, name, outbox.file(state, name)


def _told(name: str) -> tuple[str, str]:
    told = re.fullmatch(r"([A-Za-z0-9][\w@.-]*)\.([a-z][a-z0-9_-]*(?:@[a-z][a-z0-9_-]*)?)(?:~\d+)?\.txt", name)
    return (told[1], told[2]) if told else ("", "")


def _header(path: str, name: str) -> str | None:
    block = Path(path).read_text().partition("\n\n")[0]
    return dict(line.split(": ", 1) for line in block.split("\n")).get(name)


def _holds(text: str, words: str) -> bool:
    block, _, body = text.partition("\n\n")
    held = f"{block.partition('Subject: ')[2].partition(chr(10))[0]} {body}".split()
    return all(
        any(one.startswith(word[:-1]) if word.endswith("*") else one == word for one in held)
        for word in words.split()
    )


class Life:
    """What may happen to mail, at random: written, moved, altered, removed, renamed."""

    def __init__(self, where: Tree, chance: random.Random) -> None:
        self.where = where
        self.chance = chance
        self.ids: list[str] = []

    def go_on(self) -> None:
        """Let one thing happen."""
        self.chance.choice([self.write, self.write, self.write, self.move, self.move, self.alter, self.remove])()

    def write(self) -> None:
        """Write a message, to one or several."""
        sender, moment = self.chance.choice(AGENTS), self.chance.randrange(30)
        stamped = f"{sender}-20260101-1200{moment:02d}-00000{self.chance.randrange(3)}-{len(self.ids):04x}"
        older = f"{sender}-20260101-1200{moment:02d}"
        id_ = self.chance.choice([stamped, stamped, stamped if older in self.ids else older, f"n{len(self.ids)}"])
        thread = {"Thread": self.chance.choice(self.ids)} if self.ids and self.chance.random() < 0.5 else {}
        self.ids.append(id_)
        for recipient in self.chance.sample(AGENTS, self.chance.choice([1, 1, 3])):
            put(
                self.where,
                file_name(id_, recipient),
                self._text(),
                sender,
                self._state(),
                Subject=self._text(),
                **thread,
            )

    def move(self) -> None:
        """Move a message to another state."""
        outbox, path = self._file()
        os.rename(path, outbox.file(self._state(), os.path.basename(path)))

    def alter(self) -> None:
        """Write another text into a file."""
        path = Path(self._file()[1])
        path.write_text(f"{path.read_text()} {self._text()}")

    def remove(self) -> None:
        """Remove a file."""
        os.unlink(self._file()[1])

    def ask(self) -> Query:
        """Return a question."""
        maybe = self.chance.choice
        return Query(
            agent=maybe([None, *AGENTS]),
            peer=maybe([None, None, *AGENTS]),
            thread=maybe([None, None, *self.ids[-5:]]),
            words=maybe(["", "", *WORDS, "test*", "of the", "build 42 n*"]),
            limit=maybe([0, 1, 2, 5, 100]),
        )

    def _text(self) -> str:
        return " ".join(self.chance.choice(WORDS) for _ in range(4))

    def _state(self) -> str:
        return self.chance.choice([DROPPED, PROCESSING, UNREAD, READ, READ])

    def _file(self) -> tuple[Outbox, str]:
        _, owner, _, path = self.chance.choice(sorted(_all_files(self.where)))
        return self.where.outbox(owner), path


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_to_mail_the_same_is_found_as_by_a_walk(where: Tree, seed: int) -> None:
    where.make(AGENTS)
    life, clock = Life(where, random.Random(seed)), Clock(where)
    for _ in range(12):
        life.write()
    for _ in range(60):
        life.go_on()
        if life.chance.random() < 0.7:
            clock.passes()
        find(where, limit=1000)  # what was altered is met, and taken in anew
        query = life.ask()
        here = [name for _, _, name, _ in _all_files(where)]
        query.before = life.chance.choice([None, None, *here, *(_told(name)[0] for name in here)])
        query.since = life.chance.choice(["", "", *(file[0][0] for file in _all_files(where))])
        found = search.find(where, query)
        assert (names(found.places), found.more) == plain(where, query)
        assert found.complete


def test_since_goes_by_the_time_of_a_message_also_if_its_row_has_a_later_number(where: Tree) -> None:
    where.make(["codex"])
    for recipient in ("codex", "gemini"):  # the second row's number is one microsecond too late
        put(where, file_name("claude-20260101-000000-000000-abcd", recipient))
    assert len(find(where, since="20260101000000000000")) == 2
    assert find(where, since="20260101000000000001") == []


def test_since_looks_at_nothing_that_is_older(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    for second in range(10):
        put(where, file_name(f"claude-20260101-00000{second}-000000-abcd", "gemini"))
    find(where)
    met: list[str] = []
    real = search.locate
    monkeypatch.setattr(search, "locate", lambda outbox, name: (met.append(name), real(outbox, name))[1])
    assert len(find(where, since="20260101000007000000")) == len(met) == 3


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [1, 3])
def test_paging_meets_every_file_by_name_and_every_message_by_id_once(where: Tree, seed: int, size: int) -> None:
    where.make(AGENTS)
    life = Life(where, random.Random(seed))
    for _ in range(15):
        life.write()
    every = find(where, limit=1000)
    assert sorted(every) == sorted(name for _, _, name, _ in _all_files(where))
    by_name = _paged(where, size, lambda place: place.name)
    assert [place.name for place in by_name] == every
    by_id = _paged(where, size, lambda place: place.id)
    runs = [
        place.id for place, before in zip(by_id, [None, *by_id], strict=False) if not before or place.id != before.id
    ]
    assert runs == list(dict.fromkeys(_told(name)[0] for name in every))


def _paged(where: Tree, size: int, mark: Callable[[Place], str]) -> list[Place]:
    pages: list[list[Place]] = []
    more, before = True, None
    while more:
        found = search.find(where, Query(limit=size, before=before))
        pages.insert(0, found.places)
        more, before = found.more, mark(found.places[0])
    return [place for page in pages for place in page]


# --- who --------------------------------------------------------------------------------------------------


def test_mail_is_found_by_whose_outbox_it_lies_in_and_whom_its_name_is_for(where: Tree) -> None:
    where.make(["codex"])
    ids = [
        post(where, "1"),
        post(where, "2", to="codex", sender="gemini"),
        post(where, "3", to="claude, codex", sender="gemini"),
    ]
    mine = [file_name(ids[0], "gemini"), file_name(ids[2], "claude")]
    both = [file_name(ids[2], "claude"), file_name(ids[2], "codex")]
    assert find(where, agent="claude") == mine
    assert find(where, peer="claude") == mine
    assert find(where, agent="codex", peer="gemini") == [file_name(ids[1], "codex"), both[1]]
    assert find(where, agent="gemini", peer="codex") == [file_name(ids[1], "codex"), both[1]]
    assert find(where, thread=ids[2]) == both
    assert find(where, agent="claude", peer="claude") == []
    for nobody in ("nobody", "", "CLAUDE", "claud", 'cl" OR "aude', "\udcff", "*"):
        assert find(where, agent=nobody) == find(where, peer=nobody) == find(where, agent="claude", peer=nobody) == []


def test_a_place_tells_where_the_file_is_and_whom_it_is_for(where: Tree, settings: Settings) -> None:
    id_ = post(where)
    for state, step in ((DROPPED, lambda: route(where, settings)), (UNREAD, lambda: None)):
        (place,) = search.find(where, Query()).places
        assert (place.id, place.outbox.owner, place.recipient, place.state) == (id_, "claude", "gemini", state)
        assert place.load().body == "hello"
        step()
    put(where, "n1.gemini~1.txt")
    assert [place.recipient for place in search.find(where, Query(agent="gemini")).places] == ["gemini", "gemini"]


def test_what_has_no_proper_name_is_found_once_it_is_delivered(where: Tree, settings: Settings, clock: Clock) -> None:
    outbox = where.outbox("claude")
    Path(outbox.file(DROPPED, "a note.txt")).write_text("ID: n1\nFrom: claude\nTo: gemini\nSubject: s\n\nx")
    for odd in ("report.txt", ".n2.gemini.txt", "n2.gemini", "n2.Gemini.txt", "n2.\udcff.txt", "-n2.gemini.txt"):
        Path(outbox.file(READ, odd)).write_text("ID: n2\nFrom: claude\nTo: gemini\nSubject: s\n\nx")
    clock.passes()
    assert find(where) == []
    route(where, settings)
    assert find(where, words="x") == ["n1.gemini.txt"]


def test_what_was_rejected_is_not_found(where: Tree, settings: Settings) -> None:
    path = put(where, "n1.gemini.txt", "some words", state=DROPPED, To="gmini")
    assert find(where, words="words") == ["n1.gemini.txt"]
    route(where, settings)
    assert not os.path.exists(path)
    assert find(where, words="some words") == []
    assert [place.outbox.owner for place in search.find(where, Query()).places] == ["postmaster"]


# --- threads and decisions --------------------------------------------------------------------------------


def test_a_thread_is_found_by_any_of_its_messages(where: Tree) -> None:
    first = post(where, "1")
    second = post(where, "2", to="claude", sender="gemini", thread=first)
    third = post(where, "3", thread=first)
    post(where, "4")
    members = [file_name(first, "gemini"), file_name(second, "claude"), file_name(third, "gemini")]
    for id_ in (first, second, third):
        assert names(search.thread(where, id_)[0]) == find(where, thread=id_) == members
    assert find(where, thread=third, agent="gemini", peer="claude", words="2") == members[1:2]
    assert find(where, thread=first, limit=2) == members[1:]
    for unknown in ("unknown", "", '"', "\udcff", "x" * 10_000):
        assert names(search.thread(where, unknown)[0]) == find(where, thread=unknown) == []


def test_a_thread_is_found_without_its_first_message(where: Tree) -> None:
    put(where, "n1.gemini.txt", Thread="gone")
    put(where, "n2.gemini.txt", Thread="no ID at all: " + "x" * 100_000)
    put(where, "n3.gemini.txt", Thread="")
    assert find(where, thread="n1") == find(where, thread="gone") == ["n1.gemini.txt"]
    assert find(where, thread="n2") == ["n2.gemini.txt"]
    assert find(where, thread="n3") == ["n3.gemini.txt"]


def test_a_thread_named_like_an_agent_or_an_id_is_neither(where: Tree) -> None:
    where.make(["codex"])
    put(where, "n1.codex.txt", Thread="gemini")
    put(where, "n2.codex.txt", " ".join(entry.key(kind, "gemini") for kind in ("from", "to", "id", "thread")))
    assert find(where, agent="gemini") == find(where, thread="codex") == find(where, thread="claude") == []
    assert find(where, thread="gemini") == ["n1.codex.txt"]
    with pytest.raises(NoSuchMessage):
        find(where, before="gemini")
    for kind in ("from", "to", "id", "thread"):
        assert find(where, words=entry.key(kind, "codex")) == []


def test_a_thread_has_no_limit_and_the_oldest_first(where: Tree) -> None:
    for number in range(60):
        put(where, f"n{number}.gemini.txt", Thread="n0")
        os.utime(where.outbox("claude").file(READ, f"n{number}.gemini.txt"), (number, number))
    assert names(search.thread(where, "n30")[0]) == [f"n{number}.gemini.txt" for number in range(60)]


def test_openings_are_the_messages_that_ask_for_a_decision(where: Tree, settings: Settings) -> None:
    assert search.openings(where) == []
    for number, rule in enumerate(["majority", "unanimous", "Majority", "judge", "", "no"]):
        put(where, f"claude-20260101-12000{number}-000000-aa.gemini.txt", Decide=rule)
    put(where, "claude-20260101-120000-000000-ab.gemini.txt", "Decide: majority")
    put(where, "claude-20260101-110000-000000-aa.gemini.txt", decide="majority")
    stamps = [place.id.split("-")[2] for place in search.openings(where)]
    assert stamps == ["110000", "120000", "120001"]


# --- words ------------------------------------------------------------------------------------------------

SAID = {
    "a": ("Build broken", "The parser fails in test_parse.py: expected 3, got 4."),
    "b": ("parser", "Naïve Straße 日本語 the build is fixed; see commit 8f3a2c."),
    "c": ("re: build", "to be or not to be\r\nAND OR NOT NEAR() C++ foo-bar\0baz 🙂"),
}


@pytest.fixture
def said(where: Tree) -> Tree:
    """Mailboxes with the three messages of `SAID`."""
    for number, (id_, (subject, body)) in enumerate(SAID.items()):
        path = put(where, f"{id_}.gemini.txt", body, Subject=subject)
        os.utime(path, (1000 + number, 1000 + number))
    return where


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("build", "abc"),
        ("BUILD", "abc"),
        ("build parser", "ab"),
        ("parser broken", "a"),
        ("  build\t\nfixed  ", "b"),
        ("broken fixed", ""),
        ("pars", ""),
        ("pars*", "ab"),
        ("pars* fix*", "b"),
        ("build**", "abc"),
        ('"build is"', "b"),
        ('"is build"', ""),
        ('"the build" fixed', "b"),
        ('"the bui"*', "b"),
        ('"broken the"', ""),
        ('"to be or not"', "c"),
        ("naive", "b"),
        ("strase", ""),
        ("straße", "b"),
        ("日本語", "b"),
        ("test_parse.py", "a"),
        ("parse.py", "a"),
        ("foo-bar", "c"),
        ("bar-foo", ""),
        ("bar\0baz", "c"),
        ("c++", "c"),
        ("8f3a2c", "b"),
        ("3 4", "a"),
        ("…", ""),
        ("build …", "abc"),
        ("- build --", "abc"),
        ("gemini", ""),
        ("claude", ""),
    ],
)
def test_messages_are_found_by_what_they_say(said: Tree, words: str, found: str) -> None:
    assert find(said, words=words) == [f"{id_}.gemini.txt" for id_ in found]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("AND", "c"),
        ("build AND parser", ""),
        ("build OR parser", ""),
        ("build OR", "c"),
        ("NOT build", "c"),
        ("NEAR(build, parser)", ""),
        ("NEAR()", "c"),
        ("near", "c"),
        ("subject:build", ""),
        ("subject : build", ""),
        ("keys:to", ""),
        ("{subject body}:build", ""),
        ("^build", "abc"),
        ("+build", "abc"),
        ("(build", "abc"),
        ("build)", "abc"),
        ("bu*ld", ""),
        ("build;--", "abc"),
        ("build' OR 1=1", ""),
        ('"build', "abc"),
        ('build"', "abc"),
        ('bui"ld', ""),
        ('build "', "abc"),
        ('build ""', "abc"),
        ('build """', "abc"),
        ("build \0", "abc"),
        ("build \udcff", "abc"),
        ("*", ""),
        ("* build", "abc"),
        ('""', ""),
        ('"', ""),
        ('"*', ""),
        ("\0", ""),
        ("\udcff", ""),
        ("()", ""),
        (":", ""),
        ("🙂🙃", ""),
        ("x" * 10_000, ""),
        ("x " * 5_000, ""),
        ("build " * 1_500, "abc"),
        (" ".join(f"{number:x}" for number in range(2_500)), ""),
        ('"' * 9_999, ""),
        ('" ' * 5_000, ""),
        ("(" * 10_000, ""),
        ("*" * 10_000, ""),
        ("NOT " * 2_500 + "build", "c"),
    ],
)
def test_no_text_is_an_error_or_means_more_than_its_words(said: Tree, words: str, found: str) -> None:
    assert find(said, words=words) == [f"{id_}.gemini.txt" for id_ in found]
    assert find(said, words=words, agent="claude", peer="gemini") == [f"{id_}.gemini.txt" for id_ in found]


@pytest.mark.parametrize("words", ["", " ", "\n\t"])
def test_no_words_ask_for_nothing(said: Tree, words: str) -> None:
    assert find(said, words=words) == ["a.gemini.txt", "b.gemini.txt", "c.gemini.txt"]


def test_words_are_found_among_the_mail_of_some_and_in_pages(where: Tree) -> None:
    where.make(["codex"])
    for number in range(30):
        recipient = ("gemini", "codex")[number % 2]
        body = f"status {'rare' if number in (4, 7) else 'common'}"
        put(where, f"claude-20260101-1200{number:02d}-000000-aa.{recipient}.txt", body)
    newest = search.find(where, Query(words="status", peer="codex", limit=2))
    assert ([place.id.split("-")[2] for place in newest.places], newest.more) == (["120027", "120029"], True)
    older = search.find(where, Query(words="status", peer="codex", limit=13, before=newest.places[0].id))
    assert (len(older.places), older.more) == (13, False)
    assert [name.split("-")[2] for name in find(where, words="rare status")] == ["120004", "120007"]
    assert [name.split("-")[2] for name in find(where, words="rare", agent="codex")] == ["120007"]


# --- the order --------------------------------------------------------------------------------------------


def test_the_order_is_that_of_the_ids_and_else_of_the_time_of_writing(where: Tree) -> None:
    ids = [
        "claude-00000000-000000-000000-aa",
        "claude-10000101-000000",
        "claude-20260101-120000-000000-aa",
        "claude-20260101-120000-000000-ab",
        "claude-20260101-120000-000000-b",
        "claude-20260101-120000-000001-aa",
        "claude-20260101-120001",
        "claude-99991231-235959-999999-aa",
        "claude-99999999-999999-999998-aa",
        "claude-99999999-999999-999999-aa",
    ]
    for id_ in random.Random(1).sample(ids, len(ids)):
        put(where, file_name(id_, "gemini"))
        find(where)
    os.utime(put(where, "n2.gemini.txt"), (1_000_000_000.5, 1_000_000_000.5))
    os.utime(put(where, "n1.gemini.txt"), (1_000_000_000.25, 1_000_000_000.25))
    every = [file_name(id_, "gemini") for id_ in ids]
    every[2:2] = ["n1.gemini.txt", "n2.gemini.txt"]
    assert find(where) == every
    for limit in range(len(every)):
        assert find(where, limit=limit) == every[len(every) - limit :]
        assert find(where, words="x", before=every[limit], limit=2) == every[max(0, limit - 2) : limit]


@pytest.mark.parametrize("late", [0, 7, 19])
def test_copies_of_one_message_are_in_the_order_of_their_names_however_late(where: Tree, late: int) -> None:
    agents = [f"agent{number:02d}" for number in range(20)]
    where.make(agents)
    earlier, id_, later = (f"claude-20260101-120000-00000{number}-aa" for number in (4, 5, 6))
    put(where, file_name(earlier, "gemini"))
    for agent in [*agents[late + 1 :], *agents[:late]]:
        put(where, file_name(id_, agent))
    put(where, file_name(later, "gemini"))
    find(where)
    put(where, file_name(id_, agents[late]))
    copies = [file_name(id_, agent) for agent in agents]
    assert find(where, limit=100) == [file_name(earlier, "gemini"), *copies, file_name(later, "gemini")]
    assert find(where, limit=2) == [*copies, file_name(later, "gemini")]
    assert find(where, limit=1) == [file_name(later, "gemini")]
    assert find(where, before=copies[3], limit=1) == copies[:3]
    assert find(where, before=id_) == [file_name(earlier, "gemini")]
    assert find(where, before=later, words="x", limit=1) == copies


def test_before_takes_the_id_of_any_message_and_refuses_what_is_none(where: Tree) -> None:
    first, second = post(where, "1"), post(where, "2", to="claude", sender="gemini")
    assert find(where, agent="claude", before=second) == [file_name(first, "gemini")]
    assert find(where, before=first) == []
    put(where, "n1.gemini.txt", state=MALFORMED)
    assert len(find(where, before="n1")) == 2
    for unknown in ("unknown", "", "n1.gemini", "../n1.gemini.txt", '"', "\0", f"{first}x"):
        with pytest.raises(NoSuchMessage):
            find(where, before=unknown)


# --- what becomes of a file -------------------------------------------------------------------------------


def test_a_message_is_found_by_the_end_of_its_id(where: Tree) -> None:
    first, second = "claude-20260101-000000-000000-0ezi", "claude-20260102-000000-000000-1ezi"
    for name in (f"{first}.gemini.txt", f"{first}.codex@web.txt", f"{second}.gemini.txt", "x1.gemini.txt"):
        put(where, name)
    both = [f"{first}.codex@web.txt", f"{first}.gemini.txt"]
    assert sorted(names(search.by_suffix(where, "0ezi"))) == both
    assert sorted(names(search.by_suffix(where, first))) == both
    assert sorted(names(search.by_suffix(where, "ezi"))) == [*both, f"{second}.gemini.txt"]
    for nothing in ("zi", "", "0ez", "%zi", "2ezi"):
        assert search.by_suffix(where, nothing) == []
    os.unlink(where.outbox("claude").file(READ, f"{second}.gemini.txt"))
    assert search.by_suffix(where, "1ezi") == []


def test_a_new_message_is_found_at_the_next_call(where: Tree, clock: Clock) -> None:
    assert find(where) == []
    for number in range(5):
        id_ = post(where, f"word{number}")
        assert find(where, words=f"word{number}") == [file_name(id_, "gemini")]
        if number % 2:
            clock.passes()


def test_each_file_is_opened_once_and_a_quiet_directory_listed_once(
    where: Tree, clock: Clock, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = [os.path.basename(put(where, f"n{number}.gemini.txt")) for number in range(3)]
    find(where)
    clock.passes()
    find(where)
    assert sorted(opened) == sorted([*written, *written])  # those written just now, once more when they had settled
    find(where)
    listed: list[str] = []
    for name in ("listdir", "scandir"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda path, real=real: (listed.append(path), real(path))[1])
    opened.clear()
    find(where)
    assert (opened, listed) == ([], [where.path])
    outbox = where.outbox("claude")
    os.rename(outbox.file(READ, written[0]), outbox.file(UNREAD, written[0]))
    assert sorted(find(where)) == written
    assert (opened, sorted(listed[2:])) == ([], sorted([outbox.directory(READ), outbox.directory(UNREAD)]))


def test_what_has_settled_is_neither_opened_nor_listed_again(
    where: Tree, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = post(where, "word")
    find(where)
    later = time.time_ns() + 10 * 10**9
    monkeypatch.setattr(indexer, "time", SimpleNamespace(time_ns=lambda: later))
    assert find(where) == [file_name(id_, "gemini")]
    monkeypatch.setattr(os, "listdir", lambda path: [])
    monkeypatch.setattr(Lock, "acquire", None)
    assert find(where, words="word") == [file_name(id_, "gemini")]
    assert opened == [file_name(id_, "gemini")]


def test_a_message_is_found_in_every_state_it_passes(where: Tree, clock: Clock) -> None:
    put(where, "n1.gemini.txt", "word", state=DROPPED)
    outbox, came_from = where.outbox("claude"), DROPPED
    for state in (PROCESSING, DROPPED, PROCESSING, UNREAD, READ, UNREAD, READ):
        os.rename(outbox.file(came_from, "n1.gemini.txt"), outbox.file(state, "n1.gemini.txt"))
        clock.passes()
        (place,) = search.find(where, Query(words="word")).places
        assert place.state == state
        came_from = state


def test_a_file_that_is_gone_is_not_found_and_the_page_is_filled(where: Tree, clock: Clock) -> None:
    paths = [put(where, f"claude-20260101-1200{number:02d}-000000-aa.gemini.txt") for number in range(30)]
    clock.passes()
    find(where)
    for path in paths[12:28]:
        os.unlink(path)
    found = search.find(where, Query(agent="gemini", words="x", limit=5))
    assert names(found.places) == [os.path.basename(path) for path in [*paths[9:12], *paths[28:]]]
    assert found.more
    assert len(find(where, limit=100)) == 14


def test_a_file_of_the_same_name_may_come_back(where: Tree, clock: Clock) -> None:
    for text in ("first", "second", "third"):
        path = put(where, "claude-20260101-120000-000000-aa.gemini.txt", text)
        clock.passes()
        assert find(where, words=text) == [os.path.basename(path)]
        os.unlink(path)
        clock.passes()
        assert find(where, words=text) == find(where) == []


@pytest.mark.parametrize("name", ["claude-20260101-120000-000000-aa.gemini.txt", "n1.gemini.txt"])
def test_an_altered_file_is_taken_in_anew_when_it_is_met(where: Tree, clock: Clock, name: str) -> None:
    path = Path(put(where, name, "before"))
    put(where, "claude-20260102-120000-000000-aa.gemini.txt")
    clock.passes()
    find(where)
    clock.passes()
    find(where)
    path.write_text(path.read_text().replace("before", "after it all"))
    assert find(where, words="before") == []
    assert find(where, words="after") == [name]
    assert sorted(find(where)) == sorted([name, "claude-20260102-120000-000000-aa.gemini.txt"])


def test_a_file_that_was_read_half_written_is_read_again(where: Tree, clock: Clock) -> None:
    path = Path(put(where, "n1.gemini.txt", "the first half", state=DROPPED))
    assert find(where, words="second") == []
    path.write_text(f"{path.read_text()} and the second")
    assert find(where, words="first second") == ["n1.gemini.txt"]
    path.write_text("ID: n1")
    assert find(where, words="first") == []
    path.write_text("ID: n1\nFrom: claude\nTo: gemini\nSubject: third\n\n")
    clock.passes()
    assert find(where, words="third") == ["n1.gemini.txt"]


@pytest.mark.parametrize("target", [PROCESSING, READ, None])
def test_a_file_that_moves_on_between_listing_and_reading_is_followed(
    where: Tree, clock: Clock, monkeypatch: pytest.MonkeyPatch, target: str | None
) -> None:
    outbox, path = where.outbox("claude"), put(where, "n1.gemini.txt", "x", state=DROPPED)
    real = os.listdir

    def list_and_let_it_move_on(directory: str) -> list[str]:
        listed = real(directory)
        if directory == outbox.path and os.path.exists(path):
            os.rename(path, outbox.file(target, "n1.gemini.txt") if target else f"{where.path}/away")
        return listed

    monkeypatch.setattr(os, "listdir", list_and_let_it_move_on)
    assert find(where, words="x") == (["n1.gemini.txt"] if target else [])
    assert not os.path.exists(path)


def test_a_file_that_changes_all_the_time_is_found_all_the_same(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    put(where, "n1.gemini.txt", "x")
    real = untrusted.read_delivered

    def read_and_alter(path: str) -> bytes:
        text = real(path)
        Path(path).write_bytes(text + b" x")
        return text

    monkeypatch.setattr(untrusted, "read_delivered", read_and_alter)
    for _ in range(3):
        assert find(where, words="x") == ["n1.gemini.txt"]


def test_what_cannot_be_read_is_remembered_and_found_by_its_name(
    where: Tree, clock: Clock, opened: list[str]
) -> None:
    outbox = where.outbox("claude")
    for name in ("bytes", "no-message", "crlf"):
        Path(put(where, f"{name}.gemini.txt")).write_bytes(
            {"bytes": b"\xff\n\n", "crlf": b"ID: 1\r\n\r\n"}.get(name, b"")
        )
    os.mkdir(outbox.file(READ, "directory.gemini.txt"))
    os.symlink("/etc/passwd", outbox.file(READ, "link.gemini.txt"))
    os.mkfifo(outbox.file(READ, "fifo.gemini.txt"))
    odd = sorted(f"{name}.gemini.txt" for name in ("bytes", "no-message", "crlf", "directory", "link", "fifo"))
    assert sorted(find(where, agent="gemini")) == odd
    clock.passes()
    find(where)
    opened.clear()
    assert sorted(find(where, peer="claude")) == odd
    assert [name for name in opened if name != "link.gemini.txt"] == []


def test_times_of_writing_that_no_calendar_knows_are_no_trouble(where: Tree) -> None:
    put(where, "n1.gemini.txt", "x")
    for number, moment in enumerate((-(10**9), 0, 2**33, 10**10, 9 * 10**11)):
        path = put(where, f"claude-20260101-120000-00000{number}-aa.gemini.txt", "x")
        os.utime(path, (moment, moment))
        for state in (READ, UNREAD):
            os.utime(where.outbox("claude").directory(state), (moment, moment))
        assert len(find(where, words="x")) == number + 2


# --- outboxes ---------------------------------------------------------------------------------------------


def test_outboxes_come_and_go_and_come_back(where: Tree, clock: Clock, tmp_path: Path) -> None:
    put(where, "n1.gemini.txt", "x")
    clock.passes()
    find(where)
    assert find(where, words="x") == ["n1.gemini.txt"]
    away = tmp_path / "away"
    for _ in range(2):
        os.rename(where.outbox("claude").path, away)
        assert find(where, words="x") == []
        assert find(where) == []
        os.rename(away, where.outbox("claude").path)
        assert find(where, words="x") == find(where, agent="claude") == ["n1.gemini.txt"]
    where.make(["codex"])
    put(where, "n2.gemini.txt", "x", sender="codex")
    assert find(where, words="x", agent="codex") == ["n2.gemini.txt"]
    shutil.rmtree(where.outbox("codex").path)
    assert find(where, words="x") == ["n1.gemini.txt"]


def read_and_unread(where: Tree, clock: Clock) -> str:
    """Have one message read and one unread, both found; returns the directory of what is read."""
    put(where, "n1.gemini.txt", "x")
    put(where, "n2.gemini.txt", "x", state=UNREAD)
    clock.passes()
    assert len(find(where)) == 2
    return where.outbox("claude").directory(READ)


def test_a_directory_that_cannot_be_listed_hides_its_own_files_only_and_only_as_long(
    where: Tree, clock: Clock, tmp_path: Path
) -> None:
    directory = read_and_unread(where, clock)
    for spoil in (lambda: os.symlink(directory, directory), lambda: Path(directory).write_text("not a directory")):
        os.rename(directory, tmp_path / "read")
        spoil()
        for _ in range(2):
            assert find(where, words="x") == ["n2.gemini.txt"]
        os.unlink(directory)
        os.rename(tmp_path / "read", directory)
        assert len(find(where, words="x")) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
@pytest.mark.parametrize("mode", [0o000, 0o200, 0o400, 0o600])
def test_a_directory_that_is_forbidden_hides_its_files_only_as_long(where: Tree, clock: Clock, mode: int) -> None:
    directory = read_and_unread(where, clock)
    os.chmod(directory, mode)
    try:
        for _ in range(2):
            assert find(where, words="x") == ["n2.gemini.txt"]
    finally:
        os.chmod(directory, 0o700)
    assert len(find(where, words="x")) == 2


def test_mailboxes_that_are_gone_are_said_to_be(where: Tree, tmp_path: Path) -> None:
    put(where, "n1.gemini.txt")
    find(where)
    os.rename(where.path, tmp_path / "away")
    for ask in (lambda: find(where), lambda: search.thread(where, "n1"), lambda: search.openings(where)):
        with pytest.raises(NotMailboxes):
            ask()
    os.mkdir(where.path)  # as an unmounted share looks
    with pytest.raises(NotMailboxes):
        find(where)
    os.rmdir(where.path)
    os.rename(tmp_path / "away", where.path)
    assert find(where) == ["n1.gemini.txt"]


# --- what becomes of the index ----------------------------------------------------------------------------


def _index_file(where: Tree) -> Path:
    return Path(where.state_file("index.sqlite3"))


def _of_another_version(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript("DROP TABLE messages; CREATE TABLE messages (id); PRAGMA user_version = 99")
    connection.close()


def _without_a_table(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript("DROP TABLE texts")
    connection.close()


def _with_values_nobody_wrote(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript("UPDATE messages SET outbox = x'ff', name = rowid, written = 'x'")
    connection.executescript("UPDATE directories SET path = 1 || path, written = x'ff'")
    connection.close()


def _with_directories_nobody_listed(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript("DELETE FROM directories; INSERT INTO directories VALUES (5, 5), (x'ff', NULL)")
    connection.close()


def _overwritten(begin: int) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with open(path, "r+b") as file:
            file.seek(begin)
            file.write(random.Random(begin).randbytes(path.stat().st_size - begin))

    return spoil


def _a_directory_with(*names: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        path.unlink()
        path.mkdir()
        for name in names:
            (path / name).write_text("x")

    return spoil


DAMAGE: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "with its directory deleted": lambda path: shutil.rmtree(path.parent),
    "empty": lambda path: os.truncate(path, 0),
    "cut to some bytes": lambda path: os.truncate(path, 50),
    "cut to a page": lambda path: os.truncate(path, 16384),
    "cut to half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "cut in the last page": lambda path: os.truncate(path, path.stat().st_size - 5000),
    "text": lambda path: path.write_text("not a database\n" * 5000),
    "junk": _overwritten(0),
    "junk after its first bytes": _overwritten(100),
    "junk after its first page": _overwritten(16384),
    "of another version": _of_another_version,
    "of this version without a table": _without_a_table,
    "with values nobody wrote": _with_values_nobody_wrote,
    "with directories nobody listed": _with_directories_nobody_listed,
    "an empty directory": _a_directory_with(),
    "a directory that is not empty": _a_directory_with("x"),
    "a link that leads nowhere": lambda path: (path.unlink(), path.symlink_to("nowhere")),
    "with a journal of another": lambda path: Path(f"{path}-wal").write_bytes(random.Random(2).randbytes(40_000)),
}


@pytest.mark.parametrize("spoil", DAMAGE.values(), ids=DAMAGE)
def test_whatever_is_done_to_the_index_the_same_is_found(
    where: Tree, clock: Clock, spoil: Callable[[Path], object]
) -> None:
    where.make(["codex"])
    for number in range(300):
        recipient = ("gemini", "codex")[number % 2]
        text = random.Random(number).randbytes(40).hex(" ")
        put(where, f"claude-20260101-12{number // 60:02d}{number % 60:02d}-000000-aa.{recipient}.txt", f"word {text}")
    clock.passes()
    every = find(where, limit=1000)
    assert len(every) == 300
    spoil(_index_file(where))
    for _ in range(2):
        assert find(where, limit=1000, words="word") == every
        assert find(where, limit=1000, agent="codex") == [name for name in every if ".codex." in name]
        id_ = post(where, "word of fresh news", to="codex")
        every.append(file_name(id_, "codex"))
        assert find(where, words="fresh", limit=1) == every[-1:]


def test_the_index_is_for_its_owner_only_and_nothing_else_is_left_behind(where: Tree) -> None:
    put(where, "n1.gemini.txt")
    find(where)
    assert {path.name for path in _index_file(where).parent.iterdir()} == {"index.sqlite3", "locks"}
    assert _index_file(where).stat().st_mode & 0o777 == 0o600
    assert holder(where.state_file("locks", "index.lock")) is None


def test_without_a_place_on_the_disk_the_index_is_kept_in_memory(
    where: Tree, clock: Clock, opened: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / "file" / "state"))
    first = post(where, "first word")
    clock.passes()
    assert find(where, words="word") == [file_name(first, "gemini")]
    second = post(where, "second word")
    opened.clear()
    assert find(where, words="word") == [file_name(first, "gemini"), file_name(second, "gemini")]
    assert file_name(second, "gemini") in opened
    os.unlink(where.outbox("claude").file(DROPPED, file_name(first, "gemini")))
    assert find(where, words="word") == [file_name(second, "gemini")]


def test_without_a_place_for_its_lock_the_index_is_kept_in_memory(where: Tree, opened: list[str]) -> None:
    first = post(where, "word")
    find(where)
    shutil.rmtree(where.state_file("locks"))
    Path(where.state_file("locks")).write_text("not a directory")
    second = post(where, "word")
    for _ in range(2):
        assert find(where, words="word") == [file_name(first, "gemini"), file_name(second, "gemini")]


def test_an_index_that_another_process_made_anew_meanwhile_is_left_alone(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(where, "n1.gemini.txt")
    find(where)
    _index_file(where).write_text("junk")
    made: list[int] = []

    class Late(Lock):
        def acquire(self, *words: str, **more: float) -> bool:
            with monkeypatch.context() as patch:
                patch.setattr(database, "Lock", Lock)
                find(where)
            made.append(_index_file(where).stat().st_ino)
            return super().acquire(*words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(database, "Lock", Late)
    assert find(where) == ["n1.gemini.txt"]
    assert made[0] == _index_file(where).stat().st_ino


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
@pytest.mark.parametrize("inner", ["", "locks"])
def test_a_state_directory_that_is_read_only_hinders_nobody(where: Tree, inner: str) -> None:
    id_ = post(where, "word")
    find(where)
    directory = Path(where.state_file(inner))
    directory.chmod(0o500)
    try:
        later = post(where, "word")
        assert find(where, words="word") == [file_name(id_, "gemini"), file_name(later, "gemini")]
    finally:
        directory.chmod(0o700)


# --- several at once --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
def test_while_another_process_is_at_work_what_it_has_is_found_and_said_to_be_incomplete(where: Tree) -> None:
    lock = Lock(where.state_file("locks", "index.lock"))
    assert lock.acquire("index")
    with lock:
        for query in (Query(), Query(words="x"), Query(thread="n1")):
            found = search.find(where, query)
            assert (found.places, found.more, found.complete) == ([], False, False)
        assert search.thread(where, "n1")[0] == search.openings(where) == []
    path = put(where, "n1.gemini.txt")
    assert find(where) == ["n1.gemini.txt"]
    put(where, "n2.gemini.txt")
    assert lock.acquire("index")
    with lock:
        found = search.find(where, Query(words="x"))
        assert (names(found.places), found.complete) == (["n1.gemini.txt"], False)
        os.unlink(path)
        assert search.find(where, Query(words="x")).places == []
    assert find(where) == ["n2.gemini.txt"]


@pytest.mark.usefixtures("impatient")
def test_a_damaged_index_that_another_process_is_at_is_left_to_it(where: Tree) -> None:
    put(where, "n1.gemini.txt")
    find(where)
    _index_file(where).write_text("junk")
    lock = Lock(where.state_file("locks", "index.lock"))
    assert lock.acquire("index")
    with lock:
        found = search.find(where, Query())
        assert (found.places, found.complete) == ([], False)
        assert _index_file(where).read_text() == "junk"
    assert find(where) == ["n1.gemini.txt"]


_ASK = """
import sys
from ai_bridge.history.query import Query
from ai_bridge.history.search import find
from ai_bridge.mailboxes.tree import Tree

print("ready", flush=True)
sys.stdin.readline()
found = find(Tree(sys.argv[1]), Query(limit=10_000))
print(found.complete, *(place.name for place in found.places))
"""


def _asking(where: Tree, processes: list[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """Start a process that asks for all mail once a line is written to it."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": ROOT}
    process = subprocess.Popen([sys.executable, "-c", _ASK, where.path], **pipes)  # type: ignore[call-overload]
    processes.append(process)
    assert process.stdout.readline() == b"ready\n"
    return process  # type: ignore[no-any-return]


def test_processes_that_build_it_at_once_find_the_same(where: Tree, processes: list[subprocess.Popen[bytes]]) -> None:
    for number in range(1000):
        put(where, f"claude-20260101-12{number // 60:02d}{number % 60:02d}-000000-aa.gemini.txt")
    asking = [_asking(where, processes) for _ in range(4)]
    for process in asking:
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
    every = find(where, limit=10_000)
    assert len(every) == 1000
    for process in asking:
        complete, *found = process.communicate(timeout=60)[0].decode().split()
        assert found == every if complete == "True" else set(found) <= set(every)
        assert process.returncode == 0


def test_what_a_killed_process_had_built_is_gone_on_with(
    where: Tree, processes: list[subprocess.Popen[bytes]]
) -> None:
    where.make(["codex"])
    for number in range(3000):
        sender = ("claude", "codex")[number % 2]
        put(where, f"{sender}-20260101-12{number // 60:02d}{number % 60:02d}-000000-aa.gemini.txt", sender=sender)
    process = _asking(where, processes)
    assert process.stdin
    process.stdin.write(b"\n")
    process.stdin.flush()
    until(lambda: holder(where.state_file("locks", "index.lock")) or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    assert len(find(where, limit=10_000)) == 3000


def test_a_build_that_is_interrupted_leaves_no_lock_and_is_gone_on_with(
    where: Tree, clock: Clock, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    where.make(["codex"])
    written = [
        put(where, f"n{number}.{to}.txt", sender=by)
        for number in range(5)
        for by, to in [("claude", "gemini"), ("gemini", "claude"), ("codex", "gemini")]
    ]
    clock.passes()
    monkeypatch.setattr(indexer, "_BATCH", 2000)
    real = untrusted.read_delivered

    def read_some(path: str) -> bytes:
        if len(opened) == 12:
            raise KeyboardInterrupt
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(untrusted, "read_delivered", read_some)
        with pytest.raises(KeyboardInterrupt):
            find(where)
    assert len(opened) == 12
    assert len(find(where, limit=100)) == len(written)
    assert 15 <= len(opened) <= 12 + 8


def test_threads_ask_at_once_while_mail_comes_and_goes(where: Tree, settings: Settings) -> None:
    sent = [post(where, f"word {number}") for number in range(5)]
    troubles: list[BaseException] = []
    over = threading.Event()

    def ask() -> None:
        try:
            while not over.is_set():
                found: Found = search.find(where, Query(words="word", limit=100))
                assert [place.id for place in found.places] == sorted(place.id for place in found.places)
                assert set(sent[:5]) <= {place.id for place in found.places} or not found.complete
        except BaseException as trouble:
            troubles.append(trouble)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for one in threads:
        one.start()
    for number in range(20):
        sent.append(post(where, f"word {number}"))
        route(where, settings)
    over.set()
    for one in threads:
        one.join(60)
    assert troubles == []
    assert sorted(find(where, limit=100)) == sorted(file_name(id_, "gemini") for id_ in sent)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="descriptors are listed in /proc")
def test_nothing_is_left_open(where: Tree) -> None:
    put(where, "n1.gemini.txt")
    find(where)
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(3):
        post(where, "more")
        find(where, words="more")
        with pytest.raises(NoSuchMessage):
            find(where, before="unknown")
        _index_file(where).write_text("junk")
        find(where)
        assert sorted(os.listdir("/proc/self/fd")) == before
    with Lock(where.state_file("locks", "index.lock")) as lock:
        assert lock.acquire("index")
