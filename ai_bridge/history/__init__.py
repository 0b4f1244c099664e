"""Past mail, by agent, by thread and by words.

Call `search.find_as_asked` to find messages for a person or a model, `search.find` if all names are known to be good,
`meant.message` for a message that somebody named by the end of its ID, and `threads.reply_headers` for an answer's
place in its thread. The database is a cache: it can be deleted at the price of time.
"""
