"""The NATS server: the only module that imports its client. One connection, which is never mended but made anew."""

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
from ai_bridge.link.config import Link, Refusal, Trouble

_CONNECT_S = 5
_PING_S = 15
_CLOSE_S = 2.0


class _Client(Client):
    """The library's client, which goes on where another team sends headers that cannot be parsed."""

    async def _process_headers(self, headers: bytes | None) -> dict[str, str] | None:
        try:
            return await super()._process_headers(headers)
        except Exception:  # else its reader ends, and hears nothing more on a connection that seems to hold
            return None


class Server:
    """One connection; `lost` is done once it ended."""

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
        """Connect; raises `Trouble` or `Refusal` in one sentence."""
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
            raise Refusal(what="a file of credentials needs more: `pip install 'ai-bridge[nats]'`") from None
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
        """Do this; raises `Refusal` once the server says that it is not permitted, for it answers nothing else."""
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
        """End the connection; after a handshake that failed the client would wait for its end for ever."""
        with suppress(OSError, nats.errors.Error, TimeoutError):
            await asyncio.wait_for(self._client.close(), _CLOSE_S)

    def ending(self) -> Trouble:
        """Return why the connection ended."""
        return _explained(self.link.shown_url, self._error or ConnectionResetError("the connection was lost"))

    # --- streams ----------------------------------------------------------------------------------------

    async def prepare(self, take_over: bool = False) -> None:
        """See that the server is ready for this team, and take the team's name; raises `Trouble` or `Refusal`."""
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
        """Make the streams and the consumers of these teams, as the administrator; returns what is not right.

        Raises `Trouble` or `Refusal`.
        """
        await self._explain(self._check_jetstream())
        notes: list[str] = []

        async def do() -> None:
            notes.extend(await administration.make(self._client.jetstream(timeout=streams.ANSWER_S), teams, replicas))

        await self._explain(self._unless_denied(do()))
        return notes

    async def leave(self, cards: list[str]) -> None:
        """Take the cards of these subjects back and give the team's name up; mail that waits for the team stays."""
        await self._explain(streams.leave(self._client, self.link, cards))

    async def cards_since(self, first: int) -> list[tuple[int, str, bytes]]:
        """Return (number, subject, content) of some cards from that number on, none if there are none.

        Raises `Trouble`.
        """
        found: list[tuple[int, str, bytes]] = []

        async def do() -> None:
            found.extend(await streams.cards_since(self._client, first))

        await self._explain(do())
        return found

    async def _explain(self, work: Coroutine[None, None, None]) -> None:
        """Do this; raises `Trouble` or `Refusal` in one sentence where it fails."""
        where = self.link.shown_url
        try:
            await work
        except streams.Missing:
            raise Trouble(what=f"{where} has no streams any more: {streams.to_make(self.link.team)}") from None
        except (TimeoutError, nats.errors.Error) as error:
            raise _explained(where, self._error or error) from None

    # --- publishing and consuming -----------------------------------------------------------------------

    async def publish(self, stream: str, items: list[Item]) -> list[BaseException | None]:
        """Publish (subject, content, headers) in their order; returns what went wrong with each, None if stored."""
        return await self._publisher.publish(stream, items)

    async def held(self, subjects: list[str]) -> list[bool | None]:
        """Tell of each subject of one message whether its stream holds it; None where that is not known."""
        return await self._publisher.held(subjects)

    async def pull(self, stream: str) -> Pull:
        """Return the messages of a stream for this team."""
        inbox = self._client.new_inbox()
        subscription = await self._client.subscribe(inbox)
        return Pull(self._client, subscription, stream, self.link.team, inbox)


# --- words ----------------------------------------------------------------------------------------------


def _explained(where: str, error: BaseException) -> Trouble:
    """Return the sentence for what the client library or the system says."""
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
