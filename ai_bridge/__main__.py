"""`python -m ai_bridge` is the command `ai-bridge`."""

from ai_bridge.cli.entry import ai_bridge

if __name__ == "__main__":
    ai_bridge()
