"""Mail that has had its time: archived, withdrawn, discarded or expired, and put back.

Call `threads.archive_older` for all that is old, `withdraw.take_back_all` and `discard.discard_copies` for one
message, and `restore.put_back` to have one back. `fulfil.fulfil` does what other machines asked for.
"""
