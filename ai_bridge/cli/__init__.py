"""The command line: thin commands over the core, with a fast path for `send`."""
