"""The command line: what all commands share, and a fast path for `send`.

The commands themselves are in `commands`. Call `entry.ai_bridge`.
"""
