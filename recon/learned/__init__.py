"""Networks behind the verbs of every method; `recon.networks` says what they are, `recon.training` how they learn.

method.py               the contract: weights that know what they were trained for, training, reconstruction
network.py              what a network says of itself, and what it is given
light_level.py          how bright a capture is, and the factor by which networks are given it
padding.py              frames of any size for networks that take multiples of a cell
constant_outputs.py     outputs that never change
output_check.py         trained weights put to the test: such outputs, and how the frames compare
unfolding.py            ours: chooses between its two
tile_unfolding.py       ours for a code that repeats every few pixels
mask_unfolding.py       ours for full-resolution masks
coded_blurred_pair.py   the published network for a coded and a blurred image, and its two baselines
blur_to_video.py        what networks for one blurred picture have in common
jin_2018.py             the published networks of Jin and others for one blurred picture
zhang_2020.py           that of Zhang and others
purohit_2019.py         those of Purohit and others
argaw_2020.py           that of Argaw and others
motion.py               ours for one blurred picture
"""
