"""Mailboxes that Syncthing keeps in step: set it up, ask it to look, and say how it stands.

Call `setup.set_up`, `nudge.attach`, and `status.status_of`.
"""
