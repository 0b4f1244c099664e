"""A guest: a kernel of our own, user-mode Linux, as an ordinary process, with the file systems this one may lack."""
