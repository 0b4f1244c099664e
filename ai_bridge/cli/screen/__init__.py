"""What a person sees on a terminal: colours, tables that fit its width, texts in a pager.

A pipe gets none of this. Call `colours.wanted`, `tables.lines`, `pager.show`, and `messages` for lists of mail.
"""
