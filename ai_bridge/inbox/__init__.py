"""Reading: brings mail in, waits for it, shows it within a budget, and acknowledges it once the reader has it.

Call `fetch.fetch` for the mail that is unread now, `wait.wait_for_mail` to wait, and `framing.reply` to show mail to
a model.
"""
