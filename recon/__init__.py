"""Capture to video: inversions, each behind the same two verbs, ``fit`` and ``reconstruct``.

reconstructor.py        the contract
pseudo_inverse.py       the video of least energy that explains the capture
tile_solve.py           uniform intensity within a tile, one unknown per frame
registration.py         low-resolution frames back to full size, each from where its samples truly lie
consistency.py          the noise-weighted data step, after any method
demosaicing.py          one colour per pixel to three, after the solve of each phase of a mosaic
metrics.py              PSNR and SSIM, with their conventions named
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recon.reconstructor import Reconstructor

METHODS = {
    "pseudo-inverse": "recon.pseudo_inverse:PseudoInverse",
    "tile": "recon.tile_solve:TileSolve",
}


def make(spec: str, *, consistent: bool = False) -> Reconstructor:
    """A method from its name: ``recon.make("tile:ridge=0.01")``.

    Parameters
    ----------
    spec : str
        A name of `METHODS`, with settings (see `sensors.spec`).
    consistent : bool
        Follow it by the noise-weighted data step (`recon.consistency`).

    Raises
    ------
    Refusal
        If the name or a setting is unknown.
    """
    from sensors import spec as grammar

    method = grammar.make(METHODS, "method", spec)
    if not consistent:
        return method
    from recon.consistency import Consistent

    return Consistent(method)
