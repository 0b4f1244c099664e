"""What the tests of reach share: the other ends of a client's session."""

from tests.reach.ends import queue, session_socket

__all__ = ["queue", "session_socket"]
