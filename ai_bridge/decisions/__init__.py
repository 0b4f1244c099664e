"""Votes, and how a decision stands, counted from past mail alone.

Call `opening.begin` to open a decision, `tally.tally` to count one, and `judge.ask_if_split` before a vote is
delivered.
"""
