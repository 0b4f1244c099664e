"""The agents: who there is, who is online, and who I am.

Call `identity.who` for the agent that runs this process, `resolve.resolve_recipients` for whom a name means,
`cards.load` for what an agent says of itself, and `presence.online` for live sessions.
"""
