"""The terminal of a person: tables that fit its width, relative times, a pager. A pipe gets none of it.

Call `tables.lines` for rows, `pager.show` for a text, and the other modules for what their names say.
"""
