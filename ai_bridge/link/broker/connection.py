"""A connection to the NATS server. It is never repaired: after an error, another one is made."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import nats.errors
from nats.aio.client import Client

from ai_bridge.link.broker import administration, streams
from ai_bridge.link.broker.publishing import Item, Publisher
from ai_bridge.link.broker.streams import Pull
from ai_bridge.link.config import CLIENT, Link, Refusal, Trouble
from ai_bridge.system import processes

_CONNECT_S = 5
_PING_S = 15
_CLOSE_S = 2.0


class _Client(Client):
    """The library's client, but it goes on if another team sends headers that nobody can parse."""

    async def _process_headers(self, headers: bytes | None) -> dict[str, str] | None:
        try:
            return await super()._process_headers(headers)
        except Exception:  # else the reader ends, and the connection seems to hold but brings nothing
            return None


class Connection:
    """One connection; the future `lost` is done once the connection has ended."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.max_payload = 0
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._denied: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._client = _Client()
        self._publisher = Publisher(self._client, self.lost)
        self._error: BaseException | None = None

    # --- connection -------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect to the server; raises `Trouble` or `Refusal`, each with one sentence for a person."""
        where = self.link.shown_url
        try:
            await self._client.connect(
                self.link.url,
                name=f"ai-bridge {self.link.team}",
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=_CONNECT_S,
                ping_interval=_PING_S,
                max_outstanding_pings=2,
                error_cb=self._on_error,
                closed_cb=self._on_closed,
                user_credentials=self.link.creds or None,
                tls=self._tls(),
            )
        except ImportError:
            command = processes.pip_command(CLIENT)
            raise Refusal(what=f"a file of credentials needs more packages: `{command}`") from None
        except (TimeoutError, OSError, ValueError, nats.errors.Error) as error:
            raise _explained(where, self._error or error) from None
        self.max_payload = self._client.max_payload

    def _tls(self) -> ssl.SSLContext | None:
        if not (self.link.tls_ca or self.link.url.startswith("tls:")):
            return None
        return ssl.create_default_context(cafile=self.link.tls_ca or None)

    async def _on_error(self, error: Exception) -> None:
        self._error = error
        if "permissions violation" in str(error).lower() and not self._denied.done():
            self._denied.set_result(str(error))

    async def _unless_denied(self, work: Coroutine[None, None, None]) -> None:
        """Await `work`; raises `Refusal` once the server denies it, because the server gives no other answer then."""
        task = asyncio.ensure_future(work)
        waits: set[asyncio.Future[Any]] = {task, self._denied}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            where, said = self.link.shown_url, self._denied.result().removeprefix("nats: ")
            raise Refusal(what=f"{where} does not permit these credentials to be the team {self.link.team}: {said}")
        task.result()

    async def _on_closed(self) -> None:
        if not self.lost.done():
            self.lost.set_result(None)

    async def close(self) -> None:
        """Close the connection within 2 seconds: after a failed handshake the client would wait forever."""
        with suppress(OSError, nats.errors.Error, TimeoutError, AssertionError):  # the last: it did not even begin
            await asyncio.wait_for(self._client.close(), _CLOSE_S)

    def ending(self) -> Trouble:
        """Return the `Trouble` that says why the connection ended."""
        return _explained(self.link.shown_url, self._error or ConnectionResetError("the connection was lost"))

    # --- streams ----------------------------------------------------------------------------------------

    async def prepare(self, take_over: bool = False) -> None:
        """Check that the server is ready for this team, and claim the team's name; raises `Trouble` or `Refusal`.

        `take_over` takes the name from other mailboxes that have it.
        """
        await self._explain(self._unless_denied(self._prepare(take_over)))

    async def _prepare(self, take_over: bool) -> None:
        try:
            await streams.check_consumers(self._client, self.link.team)
            await streams.claim(self._client, self.link, take_over)
        except streams.Missing:
            await self._check_jetstream()
            where, team = self.link.shown_url, self.link.team
            raise Refusal(
                what=f"{where} does not permit these credentials to be the team {team}, or is not ready for it: "
                f"{streams.to_make(team)}"
            ) from None

    async def _check_jetstream(self) -> None:
        try:
            await streams.ask(self._client, "$JS.API.INFO", b"")
        except streams.Missing:
            raise Refusal(
                what=f"JetStream is not enabled on {self.link.shown_url}: add `jetstream {{ store_dir: … }}` there"
            ) from None

    async def make_streams(self, teams: list[str], replicas: int) -> list[str]:
        """Make the streams and the consumers of these teams, as the administrator; returns what is wrong with them.

        Raises `Trouble` or `Refusal`.
        """
        await self._explain(self._check_jetstream())
        notes: list[str] = []

        async def do() -> None:
            notes.extend(await administration.make(self._client.jetstream(timeout=streams.ANSWER_S), teams, replicas))

        await self._explain(self._unless_denied(do()))
        return notes

    async def leave(self, cards: list[str]) -> None:
        """Remove the cards of these subjects, and give up the team's name; mail that waits for the team stays."""
        await self._explain(streams.leave(self._client, self.link, cards))

    async def cards_since(self, first: int) -> list[tuple[int, str, bytes]]:
        """Return (number, subject, content) of some cards from the number `first` on, [] if there are no more.

        Raises `Trouble`.
        """
        found: list[tuple[int, str, bytes]] = []

        async def do() -> None:
            found.extend(await streams.cards_since(self._client, first))

        await self._explain(do())
        return found

    async def _explain(self, work: Coroutine[None, None, None]) -> None:
        """Await `work`; if it fails, raises `Trouble` or `Refusal` with one sentence for a person."""
        where = self.link.shown_url
        try:
            await work
        except streams.Missing:
            raise Trouble(what=f"{where} has no streams any more: {streams.to_make(self.link.team)}") from None
        except (TimeoutError, nats.errors.Error) as error:
            raise _explained(where, self._error or error) from None

    # --- publishing and consuming -----------------------------------------------------------------------

    async def publish(self, stream: str, items: list[Item]) -> list[BaseException | None]:
        """Publish items in their order; returns for each its error, None if it is stored, as `Publisher` does."""
        return await self._publisher.publish(stream, items)

    async def held(self, subjects: list[str]) -> list[bool | None]:
        """Return for each message's subject whether its stream holds the message, None if that is not known."""
        return await self._publisher.held(subjects)

    async def pull(self, stream: str) -> Pull:
        """Subscribe to the messages of a stream for this team, and return the subscription."""
        inbox = self._client.new_inbox()
        subscription = await self._client.subscribe(inbox)
        return Pull(self._client, subscription, stream, self.link.team, inbox)


# --- words ----------------------------------------------------------------------------------------------


def _explained(where: str, error: BaseException) -> Trouble:
    """Return a `Trouble` or `Refusal` with a sentence for an error of the client library or the system."""
    said = str(error) or type(error).__name__
    if isinstance(error, nats.errors.AuthorizationError) or "authorization" in said.lower():
        return Refusal(what=f"{where} refuses these credentials: check user and password, or the file of --creds")
    if isinstance(error, ssl.SSLError):
        return Refusal(what=f"{where} has no certificate that is trusted ({said}): name its authority with --tls-ca")
    if isinstance(error, asyncio.TimeoutError):
        return Trouble(what=f"{where} did not answer in time")
    if isinstance(error, OSError):
        return Trouble(what=f"{where} cannot be reached: {error.strerror or said}")
    return Trouble(what=f"{where}: {said.removeprefix('nats: ')}")
