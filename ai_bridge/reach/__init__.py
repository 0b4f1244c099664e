"""Reach: mail gets in front of a running model, by its client's own means; nothing here acknowledges anything."""
