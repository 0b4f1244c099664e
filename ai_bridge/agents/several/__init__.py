"""Several agents by one name: a group, such as `#backend`.

Call `groups.groups_of` for the groups of an agent, and `groups.members` for those of several agents that are in one.
"""
