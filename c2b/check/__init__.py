"""Whether a capture is right, told without truth: figures, each with what is normal and what usually causes another value.

checkup.py          all figures of a capture, and of a video that was made of it
figure.py           one figure, and the table of them
view.py             a capture as the figures look at it: mono, without pixels that are known to be hot
samples.py          saturated, dark and clipped samples, converter codes that never come
bucket_balance.py   the ratio of the buckets against the duty cycle of the code
defects.py          hot and dead pixels, rows and columns that stand out
noise_level.py      noise of flat regions against that of the sensor
code_as_stated.py   whether the code lies as it is said to
succession.py       neighbouring exposures: copies, steps of light, the last frame of one beside the first of the next
explanation.py      residuals of a reconstruction; one bucket predicted from the other
"""
