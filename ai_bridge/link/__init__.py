"""Mail between the mailboxes of different teams, through a NATS server's durable streams.

The files stay the truth on both sides: a link is the router of other teams' agents, and drops the mail they send.
Call `config.load` for the link of some mailboxes and `keeper.Keeper` to have it carried.
"""
