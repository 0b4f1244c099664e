"""Claude Code, by Anthropic."""

from ai_bridge.clients.record import Client, Hooks, Reach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ai_bridge.clients.files import Checks, Files


def _files() -> "Files":
    from ai_bridge.clients.files import SERVER, ConfigFile, Files, Folder, Plugin

    # Source: Claude Code, which calls the server and the tools of a plugin so. The name of a server is a rule for all
    # its tools. Without the rule it asks before each tool, and a session that nobody watches would get no mail.
    rule = f"mcp__plugin_{SERVER}_{SERVER}"
    rule_before = f"mcp__{SERVER}"
    return Files(
        Folder(".claude", variable="CLAUDE_CONFIG_DIR"),
        config=(ConfigFile("settings.json", members={("permissions", "allow"): rule}),),
        checks=_checks(rule),
        plugin=Plugin(
            "a plugin",
            (".claude-plugin", "plugin.json"),
            extra={"author": {"name": SERVER}},
            # Source: Claude Code 2.1.197 and later load each plugin that they find there, and no other client that
            # was tried starts anything in it.
            place=("skills", SERVER),
        ),
        former=Files(
            Folder(".claude", variable="CLAUDE_CONFIG_DIR"),
            config=(
                ConfigFile(".claude.json", has_server=True, in_project=".mcp.json", is_beside=True),
                ConfigFile("settings.json", has_hooks=True, members={("permissions", "allow"): rule_before}),
            ),
        ),
    )


def _checks(rule: str) -> "Checks":
    from ai_bridge.clients.files import SERVER, Checks, Switch

    return Checks(
        switches=(
            Switch(("disableAllHooks",), "disableAllHooks switches its hooks off", value=True),
            Switch(("permissions", "deny"), f"permissions.deny names {rule}", member=rule),
            Switch(
                ("enabledPlugins", f"{SERVER}@skills-dir"),
                "enabledPlugins switches the plugin ai-bridge off",
                value=False,
            ),
        ),
        approval="ai_bridge.health.claude",
        reach="ai_bridge.health.claude",
        quiet={"DISABLE_AUTOUPDATER": "1", "DISABLE_TELEMETRY": "1"},
        unseen="a plugin given by --plugin-dir is not seen here",
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
        events=("UserPromptSubmit", "PostToolUse", "Stop"),
        turn_end="Stop",
        prompt="UserPromptSubmit",
        shows_pushes=True,
        # A hook that calls a server's tool is an error in each turn once the server is gone or was declined.
    ),
    reach=Reach(
        "ai_bridge.reach.means.claude",
        idle="the session's socket",
        working="its hooks, else the session's socket",
        hooks_s=30.0,
        push="its socket",
        # A text that is pushed while the session begins, or while its user types, comes after the prompt.
        receipt_s=3.0,
        reconnect="type `/mcp reconnect plugin:ai-bridge:ai-bridge`",
    ),
    files=_files,
)
