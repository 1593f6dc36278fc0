"""Networks, as torch modules.

space_to_depth.py       frames on the tile grid
tile_video.py           the low-resolution and the registered video that networks start from
coded_blurred_pair.py   the published network for a coded and a blurred image, its baselines, and a residual twin of each
displacement_field.py   ours for one blurred picture: where each pixel moved, then the sharp middle frame
warping.py              pictures moved along a displacement field
jin_2018.py             the published networks for a video from one blurred picture: the middle frame, then pairs about it
zhang_2020.py           the published generator of seven frames at once, and what its three stages compare
patch_discriminator.py  the opponent of both in adversarial training
purohit_2019.py         the published networks that move a sharp picture by the flow of a recurrent decoder
convolutional_lstm.py   their recurrent cell
residual_dense_u_net.py their deblurring module
argaw_2020.py           the published network that decodes frames from transformed features and pictures
spatial_transformer.py  its affine and local transformations
dense_decoder.py        its decoder
u_net.py                the small U-Net that ours share
tile_unfolding.py       ours: unrolled stages on the tile grid
video_denoiser.py       ours: cleans video of any length, each frame beside its neighbours along the optical flow
mask_unfolding.py       ours for full-resolution masks: that network alternating with the data step
"""
