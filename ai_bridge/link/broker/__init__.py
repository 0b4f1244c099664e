"""The NATS server of a link: the only modules that talk to it.

Call `connection.Server` for a connection, and `permissions.block` for the accounts that its administrator sets up.
"""
