"""The shared tree of outboxes: its states, the table of moves, and what is unread.

Call `find.find_mailboxes` for the mailboxes, `compose.compose_and_drop` to send, `trace.find` to look for a message,
and `unread.unread_for` for an inbox. `states.MOVES` lists every legal move.
"""
