"""Registration with the AI clients: puts skill, server and hooks into each client's own files, and takes them out.

Call `changes.plan_changes` for the changes to make, `plan.carry_out` to make them, and `registered.registered` for
the present registration.
"""
