"""The agents: their cards and names, which of them are online, and which one runs this process.

Call `identity.who` for the agent that runs this process, `resolve.resolve_recipients` for the agents that names mean,
`cards.load` for an agent's card, `presence.online` for the agents with live sessions, and `setup.make` for new
mailboxes with their agents.
"""
