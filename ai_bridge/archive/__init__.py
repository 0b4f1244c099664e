"""Mail that has had its time: archived, withdrawn, discarded or expired, and put back.

Call `restore.put_back` to have a message back.
"""
