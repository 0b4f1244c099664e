"""Work that may run beside a router, in its process. The router only starts it, keeps it running and ends it."""

from typing import Protocol


class Companion(Protocol):
    """Work beside a router of all agents, such as carrying a link."""

    def tend(self) -> None:
        """Begin the work if there is any, and begin it again if it has ended; called at each sweep.

        Logs its errors and never raises.
        """

    def stop(self) -> None:
        """End the work; called once, before the router gives up its locks."""
