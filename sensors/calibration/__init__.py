"""Calibration: darks and flats in, numbers with 95 % intervals out.

In the order in which one measures::

    stack_moments.py        a stack of like frames: mean and temporal variance of every pixel
    plausibility.py         what was mistaken on the bench, or is not as the formulas assume
    estimate.py             a value with its interval, by leaving out groups of rows
    dark_frames.py          black level, dark current, read noise, row noise
    photon_transfer.py      gain from the variance of flats, full well from its roll-off
    non_uniformity.py       DSNU, PRNU and hot pixels
    tap_contrast.py         leakage and tap mismatch from a duty ramp, without the gain
    parasitic_light.py      light that the storage nodes gather while the rows wait for readout
    temporal_mixing.py      which sub-exposure light really falls into, by strobed one-hot codes
    code_registration.py    which code bit moves which pixel, by Gray-code addressing
    mask_flats.py           grey masks of an optical modulator
    characterisation.py     all of it together, and what the data cannot tell

Arrays come in DN, (frames L, buckets B, rows H, columns W). Nothing here knows of files.
"""
