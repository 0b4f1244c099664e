"""Power cuts: what a command has answered is there after the machine lost its power and its disk is mounted again."""
