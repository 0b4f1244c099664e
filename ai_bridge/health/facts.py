"""One thing that was looked at for a person: how well it is, in words, and the command that repairs it."""

OK, NOTE, WRONG = range(3)


class Fact:
    """`what` was looked at, its `level` (OK, NOTE, WRONG), the sentence `said`, and `mend`, a command or ''."""

    __slots__ = ("level", "mend", "said", "what")

    def __init__(self, what: str, level: int, said: str, mend: str = "") -> None:
        self.what = what
        self.level = level
        self.said = said
        self.mend = mend
