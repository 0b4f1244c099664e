"""Codex CLI, by OpenAI."""

from ai_bridge.clients.record import Client, Hooks, Reach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ai_bridge.clients.files import Files


def _files() -> "Files":
    from ai_bridge.clients.files import PROJECT, SERVER, TOML, USER, Checks, ConfigFile, Files, Folder, Server, Switch

    return Files(
        Folder(".codex", variable="CODEX_HOME"),
        config=(
            ConfigFile(
                "config.toml",
                form=TOML,
                has_server=True,
                private=(USER, PROJECT),
                # Source: Codex CLI 0.169, run without it. If a server is not ready after this time (1000 by default),
                # the first request of a session lacks its tools. Before 0.147 it waited for `startup_timeout_sec`,
                # which is 10 by default.
                defaults={("mcp_optional_startup_grace_ms",): 10_000},
                roots=("sandbox_workspace_write", "writable_roots"),
            ),
            ConfigFile("hooks.json", has_hooks=True),
        ),
        server=Server(
            # It waits for a tool only as long as this says.
            extra={"tool_timeout_sec": 3600},
            # Source: Codex CLI 0.169, which does not start at all if a required server is missing.
            retired={"required": True},
            given=("HOME", "PATH", "LANG", "SHELL", "TERM"),
            # All other variables that name directories must be in the entry.
            told=("CODEX_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"),
            # The tools that the person approved.
            notes=("tools",),
        ),
        checks=Checks(
            switches=(
                Switch(("mcp_servers", SERVER, "enabled"), "enabled = false switches it off", value=False),
                Switch(("features", "hooks"), "features.hooks switches its hooks off", value=False),
            ),
            probe=("queue", "--help"),
            probe_trouble="this version has no `codex queue`: update it",
        ),
    )


CODEX_CLI = Client(
    "codex",
    "Codex CLI",
    own_names=("codex-mcp-client",),
    shell_variables=("CODEX_THREAD_ID",),
    session_variables=("CODEX_THREAD_ID",),
    request_key="threadId",
    # Source: the client itself, asked with replies of growing length. It cuts out the middle of a longer one, and may
    # count bytes.
    reply_limit=10_000,
    limit_is_bytes=True,
    ignores_updates=True,
    hooks=Hooks(
        events=("SessionStart", "UserPromptSubmit", "PostToolUse", "Stop"),
        turn_end="Stop",
        refusal="block",
        prompt="UserPromptSubmit",
        shows_pushes=True,
        # Its server learns the session's name only from a call, and an idle session is woken by that name.
        by_tool=("SessionStart",),
        # It asks its user and notes the answer in its own settings. Only the user gives this trust.
        trust="ai_bridge.install.hook_trust",
        advice=(
            "Codex CLI runs these hooks only once you trust them: "
            "start `codex` in a terminal, and say so when it asks"
        ),
    ),
    reach=Reach(
        "ai_bridge.reach.means.codex",
        idle="its daemon, else codex queue",
        working="its hooks, else its daemon, else codex queue at the turn's end",
        hooks_s=60.0,
        push="its daemon or its queue",
        # Without its daemon, a session looks into its queue every ten seconds.
        receipt_s=15.0,
        # Source: Codex CLI 0.169, which starts no server again for a thread, and has no command for that.
        reconnect="type `/fork`, which goes on with this conversation in a new thread and starts the server",
    ),
    files=_files,
)
