"""Claude Code, by Anthropic."""

from ai_bridge.clients.record import Client, Hooks, Reach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ai_bridge.clients.files import Files


def _files() -> "Files":
    from ai_bridge.clients.files import SERVER, USER, Checks, ConfigFile, Files, Folder, Plugin, Switch

    rule = f"mcp__{SERVER}"
    return Files(
        Folder(".claude", variable="CLAUDE_CONFIG_DIR"),
        config=(
            # In the home directory this file is beside the folder. If the folder was moved, the file is in it.
            ConfigFile(".claude.json", has_server=True, in_project=".mcp.json", is_beside=True, private=(USER,)),
            # Without this rule it asks before each tool, and a session that nobody watches would get no mail.
            # The name of a server alone is a rule for all its tools.
            ConfigFile("settings.json", has_hooks=True, members={("permissions", "allow"): rule}),
        ),
        checks=Checks(
            switches=(
                Switch(("disableAllHooks",), "disableAllHooks switches its hooks off", value=True),
                Switch(("permissions", "deny"), f"permissions.deny names {rule}", member=rule),
            ),
            approval="ai_bridge.health.claude",
            quiet={"DISABLE_AUTOUPDATER": "1", "DISABLE_TELEMETRY": "1"},
            unseen="a plugin given by --plugin-dir is not seen here",
        ),
        plugin=Plugin(
            "a plugin",
            (".claude-plugin", "plugin.json"),
            extra={"author": {"name": SERVER}},
            # Source: Claude Code gives the server of a plugin this name, and a hook that names another finds none.
            server_name=f"plugin:{SERVER}:{SERVER}",
        ),
    )


CLAUDE_CODE = Client(
    "claude",
    "Claude Code",
    own_names=("claude-code",),
    shell_variables=("CLAUDECODE",),
    session_variables=("CLAUDE_CODE_SESSION_ID",),
    project_variable="CLAUDE_PROJECT_DIR",
    ignores_updates=True,
    hooks=Hooks(
        # Source: Claude Code 2.1 refuses a hook that calls a server's tool on SessionStart, and shows an error at
        # each start.
        events=("UserPromptSubmit", "PostToolUse", "Stop"),
        turn_end="Stop",
    ),
    reach=Reach(
        "ai_bridge.reach.claude",
        idle="the session's socket",
        working="hooks between two tool calls, else the session's socket",
        hooks_s=5.0,
    ),
    files=_files,
)
