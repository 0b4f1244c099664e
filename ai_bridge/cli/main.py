"""The programs `ai-bridge` and `ai-collab`: tables of their commands, each with its module and one line of help."""

import click

from ai_bridge import __version__
from ai_bridge.cli import usage
from ai_bridge.cli.common import LazyGroup

_MAIL = "ai_bridge.cli.commands.mail"
_LOOK = "ai_bridge.cli.commands.show"
_PAST = "ai_bridge.cli.commands.history"
_ARCHIVE = "ai_bridge.cli.commands.archive"
_BOOK = "ai_bridge.cli.commands.agents"
_SHELL = "ai_bridge.cli.commands.shell"
_OPERATE = "ai_bridge.cli.commands.router"
_SETUP = "ai_bridge.cli.commands.setup"
_INSTALL = "ai_bridge.cli.commands.install"

_OPERATING = {
    "start": (f"{_OPERATE}:start", "Start the router of all agents, or of one."),
    "stop": (f"{_OPERATE}:stop", "Stop the routers, or that of one agent."),
    "restart": (f"{_OPERATE}:restart", "Stop and start."),
    "health": (f"{_OPERATE}:health", "How the mail stands; exit 0 healthy, 1 warning, 2 critical."),
    "logs": (f"{_OPERATE}:logs", "The last lines of the router's log."),
    "install-service": (f"{_OPERATE}:install_service", "Write a systemd user unit for the router, and show it."),
}
_BRIDGE = {
    "init": (f"{_SETUP}:init", "Make the mailboxes, or add agents to them."),
    "send": (f"{_MAIL}:send", "Send a message; the body comes from standard input, --file or -m."),
    "reply": (f"{_MAIL}:reply", "Answer a message: by its ID, the end of its ID, or `last`."),
    "read": (f"{_MAIL}:read", "Print what is unread for me, and acknowledge it."),
    "wait": ("ai_bridge.cli.commands.wait:wait", "Wait until something is unread for me."),
    "acknowledge": (f"{_MAIL}:acknowledge", "Mark unread messages as read."),
    "restore": (
        f"{_MAIL}:restore",
        "Put a read or archived message back to unread, a malformed one on its way.",
    ),
    "archive": (f"{_ARCHIVE}:archive", "Archive read mail of threads that ended long ago."),
    "withdraw": (f"{_ARCHIVE}:withdraw", "Take back a message that nobody has read yet."),
    "discard": (f"{_ARCHIVE}:discard", "Put a malformed or held message into the archive."),
    "allow": ("ai_bridge.cli.commands.allow:allow", "Let a thread, or an agent's mail, go on: a person's approval."),
    "list": (f"{_LOOK}:list_", "List the mail that awaits me, or what is held or malformed."),
    "show": (f"{_LOOK}:show", "Show one message, wherever it is."),
    "history": (f"{_PAST}:history", "Show past messages with their words, newest last."),
    "threads": (f"{_PAST}:threads", "The conversations: who, how much, what is unread, the last word."),
    "search": (f"{_PAST}:search", "Find messages by their words."),
    "decisions": (f"{_PAST}:decisions", "How decisions stand."),
    "peers": (f"{_BOOK}:peers", "All agents, and who is online."),
    "remove": (f"{_BOOK}:remove", "Take an agent out; its mail goes to the archive."),
    "card": (f"{_BOOK}:card", "Show or change what others know of an agent."),
    "whoami": (f"{_SHELL}:whoami", "Which agent I am here, and why."),
    "status": (f"{_LOOK}:status", "Where a message is; without an ID, who I am and how the mail stands."),
    "router": (f"{_OPERATE}:router", "Run the router in the foreground."),
    **_OPERATING,
    "mcp": (f"{_SETUP}:mcp", "Run the STDIO MCP server."),
    "hook": (f"{_SETUP}:hook", "Answer a client's command hook: JSON in, JSON out."),
    "sync": ("ai_bridge.cli.commands.sync:sync", "Have Syncthing keep the mailboxes in step with other machines."),
    "link": ("ai_bridge.cli.commands.link:link", "Join the mailboxes of another team, through a NATS server."),
    "config": (f"{_SETUP}:config", "Each setting, its value and where it came from."),
    "install": (f"{_INSTALL}:install", "Register server, hooks and skill with a client."),
    "uninstall": (f"{_INSTALL}:uninstall", "Remove what install added."),
    "doctor": ("ai_bridge.cli.commands.doctor:doctor", "Whether each client can use the mail and be reached."),
    "completion": (
        "ai_bridge.cli.commands.shell:completion",
        "The script that completes words in bash, zsh or fish.",
    ),
    "demo": (f"{_SETUP}:demo", "Two agents talk on throw-away mailboxes."),
}
_COLLAB = {"status": (f"{_OPERATE}:status", "Which routers run, and what waits for each agent."), **_OPERATING}
_OF_BRIDGE = {name: f"`ai-bridge {name}` is the command" for name in _BRIDGE if name not in _COLLAB}

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=LazyGroup, lazy=_BRIDGE, meant=usage.MEANT, context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="ai-bridge")
def bridge() -> None:
    """Mail between AI coding assistants, as plain text files."""


@click.group(cls=LazyGroup, lazy=_COLLAB, meant=_OF_BRIDGE, context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="ai-collab")
def collab() -> None:
    """Start, stop and check the routers that move the mail.

    These are the operator's commands of `ai-bridge` under their older name; only `status` differs: it reports on each
    agent's router and mail, and `ai-bridge status` on a message, or on who you are. Mail is read and sent by
    `ai-bridge`.
    """
