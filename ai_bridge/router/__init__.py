"""The router: one pass that claims, checks, and delivers, rejects or holds; and the process that repeats it.

Call `route.Router.one_pass` for one pass, `recover.recover` after a crash, and `control.start` for the process.
"""
