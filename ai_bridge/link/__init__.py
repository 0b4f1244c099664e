"""Mail between the mailboxes of different teams, through a NATS server's durable streams.

The files stay the truth on both sides: a link is the router of other teams' agents, and drops what they send.
"""
