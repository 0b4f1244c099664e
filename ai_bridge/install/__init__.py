"""Registration with the AI clients: skill, server and hooks in each client's own files, and out of them again.

Call `changes.plan_changes` to see what would change, `plan.carry_out` to do it, and `registered.registered` for the
present registration.
"""
