"""Reaching: brings mail to a session's attention by its client's own means, and never acknowledges mail.

Call `session_watch.Watch` to ring a session when mail comes, and `hook_answer.answer` for the answer to a hook.
`ways.ways_of` returns what a client can do, from its record.
"""
