"""How learned methods learn; arrays in, weights out.

settings.py             what a run is: numbers and words
schedule.py             what each step does, and when the run ends
clips.py                short clips without end: crops of real film, and photographs set in motion
batches.py              clips, captured by the real sensor
numbered_batches.py     the same with the number of their step, for losses that change
on_policy.py            captures on their way through the stages of an unfolded network
initialisation.py       initial weights
losses.py               training losses
order_losses.py         those of a video whose order in time cannot be observed
order_teacher.py        a trained method as the teacher of another: its video, and the order of a clip nearer to it
multi_scale_losses.py   those at several scales, and of the motion by which a video is made
perceptual.py           features of pictures by which losses compare them
flow_teacher.py         the optical flow of a sharp clip, to learn from
validation.py           how good a network is, frame by frame, and which of its outputs never change
checkpoint.py           all that a run needs to go on
learning.py             the one loop
held_out.py             samples of a capture that a network predicts from the others
fine_tuning.py          going on from weights on captures without truth, and whether that has gained anything
"""
