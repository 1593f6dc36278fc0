"""Damaged files for every reader: each must end in a Refusal or a valid result, in bounded time and memory.

``python -m tests.fuzz [FORMAT ...] --cases N --seed S`` prints a table of counts and the failures; exit 1 if there are any.

samples     small sound files of every format
mutations   what damages them
worker      one process that opens damaged files until none is left or it dies
settings_walk   hostile values of every setting of everything in c2b list: python -m tests.fuzz.settings_walk
campaign    starts workers, watches them, counts
"""
