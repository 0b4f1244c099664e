"""Mailboxes of many agents with much past mail, made as fast as the disk allows: nothing is flushed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from random import Random

import common

from ai_bridge.mailboxes.file_names import file_name
from ai_bridge.mailboxes.outbox import INSIDE, READ, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import message

# A word that is in every message, one that is in few of them, and how many those are.
COMMON, RARE, RARE_TIMES = "project", "quokka", 3
_WORKERS = 2
_WORDS, _SENTENCES, _SENTENCES_EACH = 20_000, 5_000, 5
_PEERS, _IN_A_THREAD = 12, 8
_SPAN_S = 365 * 86_400
_SYLLABLES = [consonant + vowel for consonant in "bdfghjklmnprstvwz" for vowel in "aeiou"]


def make(path: Path, agents: int, messages: int) -> Tree:
    """Return new mailboxes with so many agents, each of which has sent its share of so many read messages."""
    where = Tree(str(path))
    where.make([common.SENDER, common.READER])
    names = _names(agents)
    for name in names[2:]:
        for directory in ("", *INSIDE):
            os.mkdir(os.path.join(where.outbox(name).path, directory))
    _at_once(where, names, messages)
    return where


def count(where: Tree) -> int:
    """Return how many messages are read."""
    return sum(len(os.listdir(outbox.directory(READ))) for outbox in where.outboxes())


def _names(agents: int) -> list[str]:
    """Return the agents, of which the sender and the reader stand in the middle of the order."""
    others = [f"{'agent' if number % 2 else 'peer'}-{number:04d}" for number in range(agents - 2)]
    return [common.SENDER, common.READER, *others]


def _at_once(where: Tree, names: Sequence[str], messages: int) -> None:
    """Have some processes write the messages of some senders each."""
    pids = []
    sentences = _sentences()
    for worker in range(_WORKERS):
        if (pid := os.fork()) == 0:
            status = 1
            try:
                _write(where, names, range(worker, len(names), _WORKERS), messages, sentences)
                status = 0
            finally:
                os._exit(status)
        pids.append(pid)
    failed = [os.waitpid(pid, 0)[1] for pid in pids]
    if any(failed):
        raise SystemExit("error: the messages could not be written")


def _write(where: Tree, names: Sequence[str], senders: range, messages: int, sentences: Sequence[str]) -> None:
    for place in senders:
        outbox = where.outbox(names[place])
        share = messages // len(names) + (place < messages % len(names))
        os.chdir(outbox.directory(READ))
        for name, raw in _messages(outbox, place, names, share, sentences):
            fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(fd, raw)
            os.close(fd)
        if share:
            message.parse(raw)  # refuses what is no message


def _messages(
    outbox: Outbox, place: int, names: Sequence[str], share: int, sentences: Sequence[str]
) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each message: conversations with some peers, through a year until now."""
    random = Random(place)
    near = {names[(place + 1 + step * step) % len(names)] for step in range(_PEERS)}
    peers = sorted(near - {outbox.owner})
    began, thread, before, peer = time.time() - _SPAN_S, "", "", ""
    for number in range(share):
        moment = began + _SPAN_S * (number + random.random()) / share
        stamp, micro = time.gmtime(moment), int(moment % 1 * 1e6)
        id_ = f"{outbox.owner}-{time.strftime('%Y%m%d-%H%M%S', stamp)}-{micro:06d}-{number % 10_000:04d}"
        if number % _IN_A_THREAD == 0:
            thread, before, peer = id_, "", random.choice(peers)
        headers = {"ID": id_, "From": outbox.owner, "To": peer, "Subject": random.choice(sentences)[:40]}
        headers["Date"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", stamp)
        headers |= {"In-Reply-To": before, "Thread": thread} if before else {}
        marked = RARE if place < RARE_TIMES and number == share // 2 else f"{random.getrandbits(28):07x}"
        text = " ".join(random.choices(sentences, k=_SENTENCES_EACH))
        lines = "\n".join(f"{key}: {value}" for key, value in headers.items())
        yield file_name(id_, peer), f"{lines}\n\nThe {COMMON} at {marked}: {text}\n".encode()
        before = id_


def _sentences() -> list[str]:
    """Return many sentences of words as frequent as those of a language: each is as rare as its rank says."""
    random = Random(0)
    words = ["".join(random.choices(_SYLLABLES, k=random.randint(1, 4))) for _ in range(_WORDS)]
    sums = list(accumulate(1 / (rank + 1) for rank in range(_WORDS)))
    chosen = (random.choices(words, cum_weights=sums, k=random.randint(5, 12)) for _ in range(_SENTENCES))
    return [f"{' '.join(sentence).capitalize()}." for sentence in chosen]
