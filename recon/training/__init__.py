"""How learned methods learn; arrays in, weights out.

clips.py                short clips without end: crops of real film, and photographs set in motion
"""
