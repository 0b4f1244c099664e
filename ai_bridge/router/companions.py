"""What may run beside a router, in its process: the router keeps it going and ends it, and knows no more of it."""

from typing import Protocol


class Companion(Protocol):
    """Work that goes on beside a router of all agents, such as carrying a link."""

    def tend(self) -> None:
        """Begin the work if there is any, and again if it has ended; called at each sweep.

        It logs trouble and never raises.
        """

    def stop(self) -> None:
        """End the work; called once, before the router gives up its locks."""
