"""mailboxes."""
