"""Gemini CLI, by Google."""

from ai_bridge.clients.record import Client, Hooks, Reach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ai_bridge.clients.files import Files


def _files() -> "Files":
    from ai_bridge.clients.files import SERVER, Checks, ConfigFile, Files, Folder, Plugin, Server, Switch

    return Files(
        Folder(".gemini", variable="GEMINI_CLI_HOME", moved=".gemini"),
        config=(
            ConfigFile(
                "settings.json",
                has_server=True,
                has_hooks=True,
                # Without both, the end of a background command does not wake an idle session.
                defaults={
                    ("tools", "shell", "backgroundCompletionBehavior"): "inject",
                    ("experimental", "modelSteering"): True,
                },
                without="its settings do not let the end of a background command wake an idle session",
            ),
        ),
        # Without trust it asks before each tool, and an agent that nobody watches would get no mail.
        server=Server(extra={"timeout": 600_000, "trust": True}),
        checks=Checks(
            switches=(
                Switch(("hooksConfig", "enabled"), "hooksConfig.enabled switches its hooks off", value=False),
                Switch(("mcp", "excluded"), f"mcp.excluded names {SERVER}", member=SERVER),
                Switch(("mcpServers", SERVER, "excludeTools"), "excludeTools leaves tools out"),
            ),
            approval="ai_bridge.health.gemini",
            # Source: Gemini CLI 0.61: "User-level servers are also suppressed in untrusted folders".
            asks_for_all=True,
            quiet={"GEMINI_TELEMETRY_ENABLED": "false"},
            litters=True,
            extensions="extensions",
        ),
        # It lets no extension declare its server trusted, and asks before the tools of that server.
        plugin=Plugin("an extension", ("gemini-extension.json",), withheld=("trust",), context_key="contextFileName"),
    )


GEMINI_CLI = Client(
    "gemini",
    "Gemini CLI",
    own_names=("gemini-cli-mcp-client",),
    shell_variables=("GEMINI_CLI",),
    session_is_process=True,
    # Source: the client itself, asked with replies of growing length. It cuts out the middle of a longer one.
    reply_limit=38_000,
    ignores_updates=True,
    hooks=Hooks(
        events=("SessionStart", "BeforeAgent", "AfterTool", "AfterAgent"),
        turn_end="AfterAgent",
        after_tool="AfterTool",
        prompt="BeforeAgent",
        refusal="deny",
        have_names=True,
        units_per_s=1000,
        every_tool=".*",
    ),
    reach=Reach(
        "ai_bridge.reach.gemini",
        idle="`ai-bridge wait --new` in a background shell",
        working="hooks between two tool calls",
    ),
    files=_files,
)
