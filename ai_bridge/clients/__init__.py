"""The table of clients (Claude Code, Gemini CLI …): one record each, with its names, variables, files and limits.

Call `by_name` and `by_own_name` for a record, and `registrable` for those that install knows; `ALL` has every record.
`record.Client` and `files.Files` say what a record holds. A new client is a new module here, its line in
`ALL`, and the modules that its record names.
"""

import os

from ai_bridge.clients.claude_code import CLAUDE_CODE
from ai_bridge.clients.codex_cli import CODEX_CLI
from ai_bridge.clients.gemini_cli import GEMINI_CLI
from ai_bridge.clients.record import Client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

# In the order in which commands name them. Only the names of the last ones are known.
ALL: tuple[Client, ...] = (
    CLAUDE_CODE,
    GEMINI_CLI,
    CODEX_CLI,
    Client("copilot", "GitHub Copilot", own_names=("copilot-cli", "github-copilot-developer")),
    Client("qwen", "Qwen Code", own_beginning="qwen-cli-mcp-client"),
)
# Any client that has no record.
OTHER = Client("", "")


def by_name(name: str) -> Client:
    """Return the client whose `name` this is; raises KeyError if there is none."""
    for client in ALL:
        if client.name == name:
            return client
    raise KeyError(name)


def by_own_name(own_name: str) -> Client:
    """Return the client that connects under this name; `OTHER` if there is none."""
    for client in ALL:
        if client.calls_itself(own_name):
            return client
    return OTHER


def registrable() -> list[Client]:
    """Return the clients that install can register with."""
    return [client for client in ALL if client.is_registrable]


def with_hooks() -> list[Client]:
    """Return the clients whose hooks run `ai-bridge hook`."""
    return [client for client in ALL if client.hooks.events]


def variable_set() -> str:
    """Return the environment variable that shows that a client started this process or its shell; '' if none does."""
    of_shells = (name for client in ALL for name in client.shell_variables)
    of_sessions = (name for client in ALL for name in client.session_variables)
    return first_set((*of_shells, *of_sessions))


def of_this_shell() -> Client:
    """Return the client that started this process or its shell; `OTHER` if none did."""
    variable = variable_set()
    of_it = (one for one in ALL if variable in (*one.shell_variables, *one.session_variables))
    return next(of_it, OTHER)


def first_set(variables: tuple[str, ...]) -> str:
    """Return the first of these environment variables that is set and not empty; '' if none is."""
    return next((name for name in variables if os.environ.get(name)), "")


def code(module: str) -> "ModuleType":
    """Import and return a module that a record names."""
    import importlib  # most commands need no client's own code

    return importlib.import_module(module)
