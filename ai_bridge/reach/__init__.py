"""Reaching: mail is brought to the attention of a session, by its client's own means; nothing is acknowledged here.

Call `session_watch.Watch` to ring a session when mail comes, and `hook_answer.answer` for the answer to a hook.
`ways.ways_of` gives what a client can do, by its record.
"""
