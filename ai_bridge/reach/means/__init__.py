"""Means: how the sessions of each client are reached, one module per client that needs code of its own.

A client's record names its module; `reach.ways.ways_of` imports it.
"""
