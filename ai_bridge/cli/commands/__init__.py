"""The commands, in one module per subject; `cli/main` has the table of their names."""
