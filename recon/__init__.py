"""Capture to video: inversions, each behind the same two verbs, ``fit`` and ``reconstruct``.

reconstructor.py        the contract
pseudo_inverse.py       the video of least energy that explains the capture
tile_solve.py           uniform intensity within a tile, one unknown per frame
tile_matrix.py          one small matrix that does so for every tile of a periodic code
tikhonov.py             the smoothest video that explains the capture as far as its noise allows
conjugate_gradients.py  the linear solver of whatever has no closed form
flutter_deblurring.py   one picture in uniform motion, sharp again by least squares
code_arrangement.py     how a periodic code lies on a capture: phase, orientation, roles of the buckets, order of the frames
arrangement_evidence.py how likely the measured patches are under each of these
mask_arrangement.py     the same of a full-resolution mask: orientation, shift, roles, turn of its codes
mask_registration.py    how the mask truly lies, told by the capture itself
upsampling.py           low-resolution frames back to full size, each from where its samples truly lie
gaussian_mixture.py     the prior over patches of video
expectation_maximisation.py   how that prior is learnt
gmm.py                  GMM-MMSE: the mean of all videos that explain the capture under that prior
gmm_wiener.py           its filters under a tiled code
gmm_full_mask.py        the same patch by patch, for full-resolution masks and lost samples
overlapping_patches.py  the weighted mean of patches
gap.py                  a data step alternating with a denoiser: GAP-TV, ADMM-TV, plug-and-play (priors/: the denoisers)
optical_flow.py         how far each pixel of one frame has moved in another
frame_interpolation.py  motion blur without ghosts, along the optical flow
iteration_limit.py      how often something may be repeated
consistency.py          the noise-weighted data step, after any method
untold.py               any method, given a capture as if its sensor had no optics
learned/                networks behind the verbs of every method (networks/: what they are; training/: how they learn; weights/)
method_digest.py        what decides the video that a method makes, as a digest
source_digest.py        which version of the code decides it, and of plug-ins
weight_file.py          weights and priors on disk
demosaicing.py          one colour per pixel to three, after the solve of each phase of a mosaic
metrics.py              PSNR and SSIM, with their conventions named
lazy_frames.py          videos that are read while they are scored
measures/               further figures of merit: temporal, perceptual, of a claimed variance
order.py                which way a video runs, where a blurred picture does not tell
blur_metrics.py         how well a video explains the blurred picture that it was made of
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensors.name_table import NameTable

if TYPE_CHECKING:
    from recon.reconstructor import Reconstructor

METHODS = {
    "pseudo-inverse": "recon.pseudo_inverse:PseudoInverse",
    "tile": "recon.tile_solve:TileSolve",
    "gmm": "recon.gmm:GaussianMixtureMMSE",
    "tikhonov": "recon.tikhonov:Tikhonov",
    "flutter-deblurring": "recon.flutter_deblurring:FlutterDeblurring",
    "gap-tv": "recon.gap:GapTV",
    "admm-tv": "recon.gap:AdmmTV",
    "gap": "recon.gap:PlugAndPlay",
    "unfolding": "recon.learned.unfolding:Unfolding",
    "pair": "recon.learned.coded_blurred_pair:CodedBlurredPair",
    "coded": "recon.learned.coded_blurred_pair:SingleCoded",
    "blurred": "recon.learned.coded_blurred_pair:SingleBlurred",
    "jin": "recon.learned.jin_2018:Jin2018",
    "zhang": "recon.learned.zhang_2020:Zhang2020",
    "purohit": "recon.learned.purohit_2019:Purohit",
    "argaw": "recon.learned.argaw_2020:Argaw",
    "motion": "recon.learned.motion:Motion",
}
METHODS = NameTable("methods", METHODS)

#: Ends the name of a method that the data step follows: ``tile:ridge=0.01+consistent``.
CONSISTENT = "+consistent"

#: Ends the name of a method that is not told of lens and cross-talk: ``tile+untold``, ``gap-tv+consistent+untold``.
UNTOLD = "+untold"


def make(spec: str, *, consistent: bool = False, **settings: Any) -> Reconstructor:
    """A method from its name: ``recon.make("tile:ridge=0.01")``, ``recon.make("tile+consistent")``.

    Parameters
    ----------
    spec : str
        A name of `METHODS`, with settings (see `sensors.spec`). After it, ``+consistent`` is the noise-weighted data step
        (`recon.consistency`), and at the very end ``+untold`` is without what the capture knows of optics (`recon.untold`).
    consistent : bool
        The same as ``+consistent``.
    **settings
        Settings that are no text, such as ``denoiser=function`` of gap; one in ``spec`` goes before them.

    Raises
    ------
    Refusal
        If the name or a setting is unknown.

    Examples
    --------
    >>> make("tile:ridge=0.01").ridge
    0.01
    >>> type(make("tile+consistent")).__name__
    'Consistent'
    """
    import inspect

    from sensors import spec as grammar
    from sensors.refusal import Refusal

    if spec.endswith(UNTOLD):
        from recon.untold import Untold

        return Untold(make(spec.removesuffix(UNTOLD), consistent=consistent))
    name = spec.removesuffix(CONSISTENT)
    kind = grammar.find(METHODS, "method", grammar.parse(name)[0])
    if strange := settings.keys() - inspect.signature(kind).parameters.keys():
        raise Refusal(grammar.unknown(f"setting of method {name}", min(strange), inspect.signature(kind).parameters))
    method = grammar.make(METHODS, "method", name, **settings)
    if name == spec and not consistent:
        return method
    from recon.consistency import Consistent

    return Consistent(method)
