"""A model that answers its mail, as those of two clients do that write to each other."""

from __future__ import annotations

import re

from tests.real_clients.dialects import Answer
from tests.real_clients.ground import PROGRAM
from tests.real_clients.model import NOTHING_PLANNED, Request
from tests.real_clients.notices import unseen
from tests.real_clients.sessions import Client, Gemini

# The header of a message in a read or in the answer of a hook. In the receipt of a send a full stop is before it.
_ID = re.compile(r"(?<!\. )\bID: ([\w.@-]+)")
# What Gemini CLI says of a background command.
_WAIT_ENDED = "[Background command completed"


class Answering:
    """Answers for the models of some clients: to a notice by a read, to a message by an answer, if `answers`.

    The model of Gemini CLI keeps a wait in the background, as it is taught.
    """

    def __init__(self, *clients: Client, answers: bool = True, wait: str = f"{PROGRAM} wait --new") -> None:
        self._clients = {client.dialect: client for client in clients}
        self._answers, self._wait = answers, wait
        self._waits: set[str] = set()

    def __call__(self, request: Request) -> Answer:
        client = self._clients[type(request.dialect)]
        if _WAIT_ENDED in request.new:
            self._waits.discard(client.name)
        if self._answers and (found := _ID.findall(request.new)):
            return client.call("peer_send", reply_to=found[-1], body=f"An answer to {found[-1]}.")
        if unseen(request):
            return client.call("peer_read")
        if isinstance(client, Gemini) and client.name not in self._waits:
            self._waits.add(client.name)
            return client.in_background(self._wait)
        return NOTHING_PLANNED
