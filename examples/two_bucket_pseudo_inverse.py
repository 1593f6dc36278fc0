"""One exposure of a two-bucket camera and its pseudo-inverse: in three lines, then by hand, then both agree.

python examples/two_bucket_pseudo_inverse.py
"""

import numpy as np

import recon
import sensors
from c2b import codes, scenes

video = scenes.make("occluding-objects:frames=9,height=121,width=160")[:]
code = codes.make("impulse:tile=3")

# In three lines
sensor = sensors.make("two-bucket:leakage=0.02", code)
capture = sensor.capture(video, seed=0)
frames = recon.make("pseudo-inverse").reconstruct(capture)[0]

# By hand: S = [code, 1 - code] laid out over the chip, M = [[1 - e, e], [e, 1 - e]], y = M S x, x = A^T (A A^T)^-1 y
tiled = np.tile(code, (1, 41, 54))[:, :121, :160].astype(np.float64)
share = np.stack([tiled, 1 - tiled])
mixing = np.array([[0.98, 0.02], [0.02, 0.98]])
A = np.einsum("bc,cthw->bthw", mixing, share)
charge = np.einsum("bthw,thw->bhw", A, video)
gram = np.einsum("bthw,cthw->hwbc", A, A)
weights = np.linalg.solve(gram, charge.transpose(1, 2, 0)[..., None])[..., 0]
by_hand = np.einsum("bthw,hwb->thw", A, weights)

assert np.allclose(capture.charge[0], charge, atol=1e-5)
assert np.allclose(frames, by_hand, atol=1e-5)
print(f"both agree to {np.abs(frames - by_hand).max():.1e}; nine frames of {frames.shape[1]}x{frames.shape[2]} from one exposure")
