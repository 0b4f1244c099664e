"""The Python API: mailboxes, the agents in them, and the mail that they send and read.

`ai_bridge` itself has its names. Each method makes one core call. Errors are `BridgeError`s, each with one sentence
that says what to do, and OSErrors of the disk.
"""

from ai_bridge.api.agent import Agent
from ai_bridge.api.mailboxes import Mailboxes
from ai_bridge.api.message import Message, Sent

__all__ = ["Agent", "Mailboxes", "Message", "Sent"]
