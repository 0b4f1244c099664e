"""Reading: bring mail in, wait for it, show it within a budget, and acknowledge it once it was taken.

Call `fetch.fetch` for what is unread now, `fetch.wait` to wait, and `framing.reply` to show mail to a model.
"""
