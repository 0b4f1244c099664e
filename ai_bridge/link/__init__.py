"""Mail between the mailboxes of different teams, through a NATS server's durable streams.

The files stay the truth on both sides. A link acts as the router of other teams' agents, and drops the mail that they
send. Call `config.load` for the link of some mailboxes, and `keeper.Keeper` to run it.
"""
