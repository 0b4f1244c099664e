"""Mail that has had its time: archived, withdrawn, discarded or expired, and put back.

Call `threads.archive_older` for all that is old, and `restore.put_back` to have a message back.
"""
