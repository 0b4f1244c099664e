"""Mailboxes that Syncthing keeps in step: set it up, and say how its link stands."""
