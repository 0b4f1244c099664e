"""Sending: to whom, within which limits, and whether it was read.

Call `limits.check` before a send, `send.send` to send, and `await_read` for the receipts.
"""
