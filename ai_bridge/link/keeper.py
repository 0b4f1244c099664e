"""Carries a link beside a router: it starts as soon as there is a link that no process carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ai_bridge.errors import BridgeError
from ai_bridge.link import config
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.log import LOGGER
from ai_bridge.settings import Settings

if TYPE_CHECKING:
    from ai_bridge.link.carrier import Carrier


class Keeper:
    """The link of some mailboxes, as a companion of their router."""

    def __init__(self, mailboxes: Tree, settings: Settings) -> None:
        self._mailboxes = mailboxes
        self._settings = settings
        self._carrier: Carrier | None = None
        self._trouble = ""

    def tend(self) -> None:
        """Start to carry the link if there is one that no process carries; logs an error once, and never raises."""
        if self._carrier is not None and self._carrier.is_alive:
            return
        try:
            self._begin()
        except ImportError:
            self._log_once(str(config.NotInstalled()))
        except (BridgeError, OSError) as trouble:
            self._log_once(str(trouble))

    def stop(self) -> None:
        """Stop carrying the link, and release its lock."""
        if self._carrier is not None:
            self._carrier.stop()

    def _begin(self) -> None:
        link = config.load(self._mailboxes)
        if link is None:
            return
        from ai_bridge.link.carrier import Carrier  # the client of NATS, which only a link needs

        carrier = Carrier(self._mailboxes, self._settings, link)
        self._carrier = carrier if carrier.start() else None

    def _log_once(self, trouble: str) -> None:
        if trouble != self._trouble:
            LOGGER.error("%s", trouble)
        self._trouble = trouble
