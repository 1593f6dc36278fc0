"""How learned methods learn; arrays in, weights out.

settings.py             what a run is: numbers and words
schedule.py             what each step does, and when the run ends
clips.py                short clips without end: crops of real film, and photographs set in motion
batches.py              clips, captured by the real sensor
turns.py                on-policy: captures on their way through the turns of an unfolded network
initialisation.py       initial weights
losses.py               training losses
order_losses.py         those of a video whose order in time cannot be observed
flow_teacher.py         the optical flow of a sharp clip, to learn from
validation.py           how good a network is, frame by frame, and which of its outputs never change
checkpoint.py           all that a run needs to go on
learning.py             the one loop
"""
