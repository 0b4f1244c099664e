"""One message as text: its address, its headers, its ID and its excerpts; knows nothing of any mailboxes.

Call `message.parse` and `message.format_message`, `address.is_address`, `ids.Issue` and `context.prepare`.
"""
