"""Ratios of our kernels against the plain numpy or peer way, in CPU time. ``make bench``; see ``interleaved.py``."""
