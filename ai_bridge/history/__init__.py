"""Past mail, by agent, by thread and by words.

Call `search.find` to find messages, and `threads.reply_headers` for an answer's place in its thread. The database is
a cache: it can be deleted at the price of time.
"""
