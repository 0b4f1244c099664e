"""The entry points of the console scripts: `send` and `hook` import next to nothing, all else goes to click."""

import gc
import os
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
    stderr.make_forgiving()
    if {"-h", "--help"} & set(sys.argv[1:]):
        return _help(recipient, sender)
    os.environ.setdefault("AI_BRIDGE_AGENT", sender)
    sys.argv[1:1] = ["send", recipient]
    ai_bridge()


def _help(recipient: str, sender: str) -> None:
    """Explain the program that sends to the recipient, under its own name; ends the process if nothing takes it."""
    from ai_bridge.errors import disk_error

    text = (
        f"Usage: send_to_{recipient} [OPTIONS] [SUBJECT]\n\n"
        f"Send standard input to {recipient}: `ai-bridge send {recipient} [SUBJECT]` under its older name. The\n"
        f"sender is {sender}, unless AI_BRIDGE_AGENT or --from names another.\n"
        "`ai-bridge send --help` lists the options.\n"
    )
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        sys.stderr.write(f"error: {disk_error('standard output', error)}\n")
        sys.stderr.flush()
        os._exit(1)
