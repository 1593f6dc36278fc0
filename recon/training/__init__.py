"""How learned methods learn; arrays in, weights out.

clips.py                short clips without end: crops of real film, and photographs set in motion
batches.py              clips, captured by the real sensor
light.py                stored values and light
losses.py               what is made small
learning.py             the one loop: moving average, validation, checkpoints that resume bit by bit
"""
