from ai_bridge.api import Agent as Agent
from ai_bridge.api import Mailboxes as Mailboxes
from ai_bridge.api import Message as Message
from ai_bridge.api import Sent as Sent
from ai_bridge.errors import BridgeError as BridgeError
from ai_bridge.settings import Settings as Settings

__version__: str
