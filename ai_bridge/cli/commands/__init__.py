"""The commands, one module per subject; `cli/main.py` has the table of their names."""
