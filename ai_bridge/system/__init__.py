"""The operating system, each of its parts behind one module; `durable` alone changes the disk.

Call `durable` to write, `untrusted` to read what others wrote, `locks` to know who is alive, and `directories` for
this user's own folders.
"""
