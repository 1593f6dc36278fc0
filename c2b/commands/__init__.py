"""The commands, one file each.

A command is a typed function whose docstring is its help. It imports what it needs when it is called, since ``c2b --help`` reads
all docstrings. What it does can be done from Python without it.
"""
