"""Sessions that are not there: further ones (`claude-2`) that have ended, and agents that were away for long.

Call `ended.offered_to` for the names whose mail a session is offered, and `away.note` for what a sender is told.
"""
