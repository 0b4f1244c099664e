"""The processes of the kill run: `python actors.py send|read MAILBOXES` sends, or reads, until it is killed.

Each line of output is an ID: of a message that was accepted, or that the reader has in its hands.
"""

from __future__ import annotations

import itertools
import os
import sys

from ai_bridge import settings
from ai_bridge.inbox import fetch
from ai_bridge.inbox.wait import wait_for_mail
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.tree import Tree
from tests.support.mail import send


def send_for_ever(where: Tree) -> None:
    for number in itertools.count():
        body = f"{number}\n" * (1 + number % 200)
        os.write(1, f"{send(where, 'claude', Draft(['gemini'], body), 1 << 20).id}\n".encode())


def read_for_ever(where: Tree) -> None:
    loaded = settings.load(where.path)
    while True:
        lock = unread.lock_inbox(where, "gemini")
        for one in fetch.fetch(where, "gemini", loaded):
            message = one.load()
            number = message.body.partition("\n")[0]
            assert message.body == f"{number}\n" * (1 + int(number) % 200), "half a message"
            os.write(1, f"{message.id}\n".encode())
            one.acknowledge()
        lock.release()
        wait_for_mail(where, "gemini", loaded, 0.05)


if __name__ == "__main__":
    {"send": send_for_ever, "read": read_for_ever}[sys.argv[1]](Tree(sys.argv[2]))
