"""Designing a code for a sensor: which pixels collect when, so that as much as can be is recovered under a prior.

objective.py    the error that the prior leaves, and its gradient by the code
moves.py        what a code may become, under what the chip can do
search.py       ascent by many pixels at once, then by one, with annealing
code_design.py  a design on disk: its code, its card and its log; an interrupted one goes on
"""
