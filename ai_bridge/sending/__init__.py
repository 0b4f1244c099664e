"""Sending: finds the recipients, keeps the limits, and waits for the receipts.

Call `limits.check` before a send, `send.send` to send, and `await_read.await_read` for the receipts.
"""
