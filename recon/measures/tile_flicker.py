"""Flicker at the tile: how much the error of a pixel comes and goes in the rhythm of its place in the tile.

======  ==================================================================================  =============
symbol  meaning                                                                             shape
======  ==================================================================================  =============
e       error of the video, 1 = white                                                       (K, H, W)
f       pixel of the tile                                                                   p x q of them
E       root mean square of e over all pixels of frame t that lie at f of their tile        (K, f)
======  ==================================================================================  =============

    flicker = root mean square over t and f of E[t, f] - mean_t E - mean_f E + mean E

Each pixel of a tile sees other sub-exposures, so that a reconstruction is sharp there in some frames and guessed in the others: a
pattern of the period of the tile that dances, which the eye sees at once and the PSNR of frames hides. What all pixels of a frame, or
one pixel of the tile in all frames, have in common does not flicker, and neither does noise of whatever strength, up to the accuracy
of E, which is that of a standard deviation of as many numbers as there are tiles.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from recon.measures.measure import Metric, Outcome, planes

#: Fewest tiles, over which the error is averaged.
TILES = 16


class TileFlicker(Metric):
    """Root mean square of that part of the error which depends on frame and pixel of the tile together, 1 = white."""

    better: ClassVar[str] = "lower"
    needs: ClassVar[str] = f"two frames or more, of a code with a tile of several pixels, {TILES} times on the frame"

    def __call__(self, outcome: Outcome) -> float | None:
        video, truth = outcome.shown
        if outcome.tile is None or len(truth) < 2 or np.prod(outcome.tile) == 1:
            return None
        (p, q), (height, width) = outcome.tile, truth.shape[1:3]
        down, across = height // p, width // q
        if down * across < TILES:
            return None
        error = (planes(video) - planes(truth))[:, : down * p, : across * q].reshape(len(truth), down, p, across, q, -1)
        E = np.sqrt(np.square(error).mean((1, 3, 5), dtype=np.float64)).reshape(len(truth), -1)
        together = E - E.mean(0) - E.mean(1, keepdims=True) + E.mean()
        return float(np.sqrt(np.square(together).mean()))
