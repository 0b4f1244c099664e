"""The entry points of the console scripts: `send` and `hook` import next to nothing, all else goes to click."""

import gc
import sys

from ai_bridge.cli import stderr


def ai_bridge() -> None:
    """Run `ai-bridge`."""
    stderr.make_forgiving()
    if sys.argv[1:2] == ["send"]:
        gc.disable()  # the process ends within milliseconds
        from ai_bridge.cli import fast_send

        fast_send.send(sys.argv[2:])
    if sys.argv[1:2] == ["hook"]:
        from ai_bridge.cli.commands import hook

        hook.fast(sys.argv[2:])
    from ai_bridge.cli.main import bridge

    bridge(prog_name="ai-bridge")


def ai_collab() -> None:
    """Run `ai-collab`."""
    stderr.make_forgiving()
    from ai_bridge.cli.main import collab

    collab(prog_name="ai-collab")


def send_to_gemini() -> None:
    """Run `send_to_gemini [SUBJECT]`: from claude, unless AI_BRIDGE_AGENT names another agent."""
    _send_to("gemini", "claude")


def send_to_claude() -> None:
    """Run `send_to_claude [SUBJECT]`: from gemini, unless AI_BRIDGE_AGENT names another agent."""
    _send_to("claude", "gemini")


def _send_to(recipient: str, sender: str) -> None:
    import os

    os.environ.setdefault("AI_BRIDGE_AGENT", sender)
    sys.argv[1:1] = ["send", recipient]
    ai_bridge()
