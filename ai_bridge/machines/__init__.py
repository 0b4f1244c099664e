"""This machine and the others, and which of them moves an agent's mail.

Call `this_machine.here` for this machine's ID and `homes.Homes` for the machine an agent lives on.
"""
