"""Gemini CLI, by Google."""

from ai_bridge.clients.record import Client, Hooks, Listing, Reach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ai_bridge.clients.files import Files, Policy


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
        policy=_policy(),
        # It lets no extension declare its server trusted, and asks before the tools of that server.
        plugin=Plugin("an extension", ("gemini-extension.json",), withheld=("trust",), context_key="contextFileName"),
    )


def _policy() -> "Policy":
    """Return the rule without which the wait that wakes an idle session stops at a question, each time it starts.

    Source: Gemini CLI 0.61, which reads policies of the user and of an administrator, not of a project.
    """
    from ai_bridge.clients.files import SERVER, Policy

    return Policy(
        ("policies", f"{SERVER}.toml"),
        "# Written by `ai-bridge install gemini`: waiting for mail needs no question.\n"
        '[[rule]]\ntoolName = "run_shell_command"\ncommandPrefix = {}\ndecision = "allow"\npriority = 100\n',
        words=("wait",),
        without="it asks a person before each `ai-bridge wait`, which wakes an idle session",
        in_project="Gemini CLI reads no policy of a project: each person who works here also runs "
        "`ai-bridge install gemini` once, or it asks before each `ai-bridge wait`",
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
    # Source: Gemini CLI 0.61, which adds `wait_for_previous` to each tool: some 50 tokens.
    listing=Listing(reading_tools=2, is_short=True),
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
        "ai_bridge.reach.means.gemini",
        idle="`ai-bridge wait --new` in a background shell",
        working="its hooks",
        reconnect="type `/mcp reload`",
    ),
    files=_files,
)
