"""The three clients: how each is set up for a test, begun, spoken to, and what its model calls things."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.real_clients.dialects import Anthropic, Call, Dialect, Google, OpenAI
from tests.real_clients.ground import Ground
from tests.real_clients.model import PATIENCE_S, Request
from tests.real_clients.terminal import ENTER, Terminal
from tests.support.wait import until

_ASK_AGAIN_S = 3.0


class Session:
    """An interactive session whose terminal is open."""

    def __init__(self, ground: Ground, terminal: Terminal) -> None:
        self.ground, self.terminal = ground, terminal

    def say(self, text: str) -> Request:
        """Type a prompt; returns the model's request it led to.

        A text that comes at once is taken for pasted, and what is pasted is sent by no key right after it.
        """
        model, before = self.ground.model, len(self.ground.model.requests)
        self.terminal.type(text)
        for _ in range(int(PATIENCE_S / _ASK_AGAIN_S)):
            self.terminal.wait_until_quiet()
            self.terminal.type(ENTER)
            try:
                return model.wait_for(lambda request: text in request.new, before, _ASK_AGAIN_S)
            except AssertionError:
                continue
        raise AssertionError(f"the prompt never came to the model; the terminal shows: {self.terminal.text[-2000:]}")

    def restart_server(self, client: Client) -> None:
        """Type the client's command for it, and wait until a new server has taken the place of the old one."""
        before = set(self.ground.servers())
        self.terminal.type(client.restart)
        for _ in range(int(PATIENCE_S / _ASK_AGAIN_S)):
            self.terminal.wait_until_quiet()
            self.terminal.type(ENTER)
            with suppress(AssertionError):
                self.terminal.wait_for(client.restarted, seconds=_ASK_AGAIN_S)
                break
        until(lambda: (now := set(self.ground.servers())) and not now & before, PATIENCE_S)
        self.terminal.wait_until_quiet()

    def kill(self) -> None:
        """Kill the client and all that shares its terminal, and wait until its server has ended, too."""
        self.terminal.kill()
        until(lambda: not self.ground.servers(), PATIENCE_S)


class Client(ABC):
    """One client on a test's ground; its files are written by `set_up`, ours by `ai-bridge install`."""

    name: str
    dialect: type[Dialect]
    # What the terminal shows, one of these, once it takes prompts.
    ready: tuple[str, ...]
    # The command by which a person restarts our server in a session, and what the terminal shows then; '' if none.
    restart, restarted = "", ""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.set_up()

    @abstractmethod
    def set_up(self) -> None:
        """Write what keeps it from asking a new user things, and from speaking with anybody but the model."""

    @abstractmethod
    def words(self) -> list[str]:
        """Return the command line of an interactive session."""

    @abstractmethod
    def words_once(self, prompt: str) -> list[str]:
        """Return the command line that has one prompt answered."""

    @abstractmethod
    def tool(self, name: str) -> str:
        """Return what the model calls a tool of ours."""

    @abstractmethod
    def shell(self, command: str) -> Call:
        """Return the call by which the model runs a command."""

    @abstractmethod
    def files(self) -> list[Path]:
        """Return the files in which others than we keep things too."""

    def call(self, name: str, **words: Any) -> Call:
        return Call(self.tool(name), words)

    def install(self) -> None:
        """Register all that is ours with it."""
        self.ground.bridge("install", self.name, "--yes")

    def begin(self, terminal: Terminal | None = None) -> Session:
        """Begin an interactive session, in a terminal in which it starts already if one is given.

        It takes prompts then.
        """
        terminal = terminal or self.ground.open(self.words())
        self.come_in(terminal)
        terminal.wait_until_quiet()
        return Session(self.ground, terminal)

    def come_in(self, terminal: Terminal) -> None:
        terminal.wait_for(*self.ready)

    def ask_once(self, prompt: str, where: Path | None = None) -> str:
        """Have one prompt answered, in the project or in the folder `where`; returns all that was printed."""
        return self.ground.run(*self.words_once(prompt), where=where)


class Claude(Client):
    name = "claude"
    dialect = Anthropic
    ready = ("for agents", "for shortcuts", "shift+tab")
    restart, restarted = "/mcp reconnect plugin:ai-bridge:ai-bridge", "Reconnected to"

    def set_up(self) -> None:
        home, project = self.ground.home, str(self.ground.project)
        known = {
            "hasTrustDialogAccepted": True,
            "hasCompletedProjectOnboarding": True,
            "projectOnboardingSeenCount": 9,
        }
        _write(home / ".claude.json", {
            "hasCompletedOnboarding": True, "theme": "dark", "lastOnboardingVersion": "2.1.330",
            "customApiKeyResponses": {"approved": ["dummy"], "rejected": []}, "projects": {project: known},
        })  # fmt: skip
        _write(home / ".claude" / "settings.json", {"permissions": {"allow": ["Bash"]}})
        self.ground.environment |= {"ANTHROPIC_BASE_URL": self.ground.model.address, "ANTHROPIC_API_KEY": "dummy"}

    def configure(self, words: dict[str, Any]) -> None:
        """Put words into the person's settings."""
        file = self.ground.home / ".claude" / "settings.json"
        _write(file, {**json.loads(file.read_text()), **words})

    def words(self) -> list[str]:
        return ["claude"]

    def words_once(self, prompt: str) -> list[str]:
        return ["claude", "-p", prompt]

    def tool(self, name: str) -> str:
        return f"mcp__plugin_ai-bridge_ai-bridge__{name}"

    def shell(self, command: str) -> Call:
        return Call("Bash", {"command": command, "description": "a command"})

    def files(self) -> list[Path]:
        return [self.ground.home / ".claude" / "settings.json"]


_ALLOWED = """[[rule]]
toolName = "run_shell_command"
commandPrefix = ["echo", "touch", "test", "sleep", "wc"]
decision = "allow"
priority = 100
"""


class Gemini(Client):
    name = "gemini"
    dialect = Google
    ready = ("Type your message",)
    restart, restarted = "/mcp reload", "Configured MCP servers"

    def set_up(self) -> None:
        _write(self.ground.home / ".gemini" / "settings.json", {
            "general": {"enableAutoUpdate": False, "disableAutoUpdate": True},
            "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
            "privacy": {"usageStatisticsEnabled": False}, "telemetry": {"enabled": False},
        })  # fmt: skip
        # The tests' own commands, as a person allows what is often run; none of ours.
        _write(self.ground.home / ".gemini" / "policies" / "tests.toml", _ALLOWED)
        self.ground.environment |= {"GOOGLE_GEMINI_BASE_URL": self.ground.model.address, "GEMINI_API_KEY": "dummy"}

    def words(self) -> list[str]:
        return ["gemini", "-m", "gemini-2.5-flash"]

    def words_once(self, prompt: str) -> list[str]:
        return [*self.words(), "-p", prompt]

    def tool(self, name: str) -> str:
        return f"mcp_ai-bridge_{name}"

    def shell(self, command: str) -> Call:
        return Call("run_shell_command", {"command": command})

    def in_background(self, command: str) -> Call:
        """Return the call by which the model runs a command and does not wait for it."""
        return Call("run_shell_command", {"command": command, "is_background": True})

    def files(self) -> list[Path]:
        return [self.ground.home / ".gemini" / "settings.json"]


class Codex(Client):
    name = "codex"
    dialect = OpenAI
    ready = ("YOLO mode",)
    _TRUST, _TRUSTED = "Trust all and continue", "trusted_hash"
    # With it: two processes that outlive all sessions, and half a gigabyte copied into each home.
    daemon = False

    def set_up(self) -> None:
        self._config = self.ground.home / ".codex" / "config.toml"
        _write(self._config, f'''# A person's own remark.
model = "gpt-5"
model_provider = "tests"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false

[features]
daemon_auto_start = {str(self.daemon).lower()}

[analytics]
enabled = false

[model_providers.tests]
name = "tests"
base_url = "{self.ground.model.address}/v1"
wire_api = "responses"
env_key = "TESTS_KEY"

[projects."{self.ground.project}"]
trust_level = "trusted"
''')  # fmt: skip
        self.ground.environment["TESTS_KEY"] = "dummy"

    def words(self) -> list[str]:
        return ["codex"]

    def words_once(self, prompt: str) -> list[str]:
        return ["codex", "exec", "--dangerously-bypass-hook-trust", prompt]

    def come_in(self, terminal: Terminal) -> None:
        """Trust our hooks, as a person is asked to once."""
        if terminal.wait_for(self._TRUST, *self.ready) == self._TRUST:
            terminal.wait_until_quiet()
            terminal.type("2")
            terminal.wait_until_quiet()
            terminal.type(ENTER)
            until(lambda: self._TRUSTED in self._config.read_text(), PATIENCE_S)
        terminal.wait_for(*self.ready)

    def tool(self, name: str) -> str:
        return f"mcp__ai_bridge:{name}"

    def shell(self, command: str) -> Call:
        return Call("exec_command", {"cmd": command, "yield_time_ms": 30_000})

    def files(self) -> list[Path]:
        return [self._config]


class CodexWithDaemon(Codex):
    """Codex CLI as people have it; its daemon runs the sessions, and outlives them."""

    daemon = True


def _write(path: Path, content: dict[str, Any] | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2) + "\n")


def begin_all(*clients: Client) -> list[Session]:
    """Begin a session of each client, all at the same time, and have each say a word."""
    terminals = [client.ground.open(client.words()) for client in clients]
    sessions = [client.begin(terminal) for client, terminal in zip(clients, terminals, strict=True)]
    for session in sessions:
        session.say("begin")
    return sessions


CLIENTS: dict[str, type[Client]] = {"claude": Claude, "gemini": Gemini, "codex": Codex}
