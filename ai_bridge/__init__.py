"""Mail between AI coding assistants, as plain text files that move atomically from state to state."""

__version__ = "0.2.0.dev0"
