"""The NATS server of a link: the only modules that talk to it.

Call `connection.Connection` for a connection, and `permissions.block` for an account in the server's configuration.
"""
