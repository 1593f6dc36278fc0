"""A video out of one blurred picture by transformations of features and pictures: FTN, LW and ITN of the paper.

======  ======================================================================  ================================
symbol  meaning                                                                 shape
======  ======================================================================  ================================
U^l     features of the blurred picture at scale l                              (N, base 2^l, H / 2^l, W / 2^l)
I_m     middle frame, decoded from U at each scale                              (N, C, h, w)
theta   affine map of a frame at a scale, found in U^l (STN) or I_m (ITN)       (N, 2, 3)
d       local displacement of a frame at a scale, found in U^l (LW), pixels     (N, 2, h, w)
======  ======================================================================  ================================

    U_t = [U(theta_t p), U(p + d_t)]        I_t = decoder_t(U_t, ITN_t(I_m), U)

D. M. Argaw, J. Kim, F. Rameau, C. Zhang, I. S. Kweon, "Restoration of video frames from a single blurred image with motion
understanding", 2020. In the lighter variant one decoder serves all frames but the middle one, and frames that mirror each other
in time have inverse affine maps; here their local displacements are opposite too. Base width, growth, dilations and localisation
networks are not published; with base 32 and growth 32 there are 43.5 M parameters for three frames, 108 M for seven; 27.4 M for
three in the lighter variant, which is 37 % less, where the paper has 48 %. The finest scale has no features of the encoder.

Settings that are not of the paper: ``fold`` lets the network see, and make, pictures folded by space to depth; ``scales`` fewer
than five; ``residual``, in which the blurred picture is added to the middle frame, and to each other frame the middle one moved
by theta and d, so that the network begins with the blurred picture and learns motion before it sharpens.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recon.learned.network import Network
from recon.networks.dense_decoder import REFINEMENT, SLOPE, DenseDecoder
from recon.networks.space_to_depth import fold as folded
from recon.networks.space_to_depth import unfold
from recon.networks.spatial_transformer import LOCALISATION, Localisation, LocalWarping, affine_displacement, inverse
from recon.networks.warping import warp
from recon.training.initialisation import begin_as_he
from sensors.refusal import Refusal


class Transformed(NamedTuple):
    """What comes of a blurred picture."""

    frames: Tensor  # (N, K, C, H, W), in the order of `places`
    places: list[int]  # which frames of the T these are
    images: list[Tensor]  # (N, K, C, h, w) at each scale, coarse to fine, the last one ``frames``
    thetas: list[list[Tensor]]  # of STN and of ITN, of each at all scales (N, K - 1, 2, 3), without the middle frame


class Argaw2020(nn.Module, Network):
    """Blurred picture to video.

    Parameters
    ----------
    frames : int
        T, odd.
    planes : int
        C: 1 for luma, 3 for colour.
    base, growth : int
        Channels of the finest features; those added by each convolution of a dense block.
    scales : int
        Levels of the encoder, each half as fine and twice as wide.
    fold : int
        Side of the tiles by which the picture is folded; 1 is the published network.
    light : bool
        The lighter variant.
    affine, local, pictures : bool
        Whether there are STN, LW and ITN.
    residual : bool
        Frames are added to pictures, see above.
    refinement, localisation : int
        Channels of the refinement, and of the networks that find affine maps.

    Raises
    ------
    Refusal
        If T is even, or all frames but the middle one would be equal.
    """

    def __init__(
        self,
        frames: int = 7,
        planes: int = 1,
        base: int = 32,
        growth: int = 32,
        scales: int = 5,
        fold: int = 1,
        light: bool = False,
        affine: bool = True,
        local: bool = True,
        pictures: bool = True,
        residual: bool = False,
        refinement: int = REFINEMENT,
        localisation: int = LOCALISATION,
    ) -> None:
        settings = dict(locals())
        super().__init__()
        if frames < 3 or frames % 2 == 0:
            raise Refusal(f"frames={frames}; the network has a middle frame and as many on both sides: 3, 5, 7, ...")
        if light and not (affine or local or pictures):
            raise Refusal(
                "the lighter variant without any transformation makes all frames but the middle one equal; leave one on"
            )
        self.settings = {name: settings[name] for name in settings if name not in ("self", "__class__")}
        self.frames, self.fold, self.light, self.residual = frames, fold, light, residual
        self.multiple = (fold * 2**scales,) * 2
        channels, cell = [base * 2**level for level in range(scales)], planes * fold**2
        self.encoder = nn.ModuleList(_level(a, b) for a, b in pairwise([cell, *channels]))
        self.middle = DenseDecoder(cell, channels, growth, refinement=refinement, residual=residual)
        found = frames // 2 if light else frames - 1
        kinds = (channels if affine else [], channels if local else [], [cell] * scales if pictures else [])
        self.transformers = nn.ModuleList(Transformers(*kinds, localisation) for _ in range(found))
        maps, shown = 1 + affine + local, cell if pictures or residual else 0
        self.sides = nn.ModuleList(
            DenseDecoder(cell, channels, growth, multiple=maps, shown=shown, refinement=refinement, residual=residual)
            for _ in range(1 if light else frames - 1)
        )

    def forward(self, blurred: Tensor, places: Sequence[int] = ()) -> Transformed:
        """The video of a blurred picture.

        Parameters
        ----------
        blurred : Tensor, (N, C, H, W)
            Mean form, values in [0, 1]; H and W are multiples of ``multiple``.
        places : sequence of int
            Frames to make beside the middle one, such as two that mirror each other; by default all.
        """
        middle = self.frames // 2
        places = sorted({*(places or range(self.frames)), middle})
        x = folded(blurred, (self.fold, self.fold)) if self.fold > 1 else blurred
        features: list[Tensor] = []
        for level in self.encoder:
            features.append(level(features[-1] if features else x))
        still = self.middle(features, None, _pyramid(x, len(features)) if self.residual else None)
        every, thetas = [], []
        for place in places:
            if place == middle:
                every.append(still)
                continue
            pictures, found = self._side(place, features, still)
            every.append(pictures)
            thetas.append(found)
        images = [torch.stack([unfold(one, (self.fold, self.fold)) for one in scale], 1) for scale in zip(*every, strict=True)]
        return Transformed(images[-1], places, images, [_stacked(kind) for kind in zip(*thetas, strict=True)])

    def _side(self, place: int, features: Sequence[Tensor], still: Sequence[Tensor]) -> tuple[list[Tensor], list[list[Tensor]]]:
        """Pictures of a frame at each scale, and its affine maps."""
        number = place if place < self.frames // 2 else place - 1
        mirrored = self.light and place > self.frames // 2
        moved = self.transformers[self.frames - 1 - place if mirrored else number](features, still, mirrored)
        decoder = self.sides[0 if self.light else number]
        shown = moved.along if self.residual else moved.pictures
        return decoder(moved.features, shown, moved.along if self.residual else None), moved.thetas


class Moved(NamedTuple):
    """Features and pictures of another moment."""

    features: list[Tensor]  # fine to coarse: transformed by STN, by LW, and as they are
    pictures: list[Tensor] | None  # coarse to fine: the middle frame by ITN
    along: list[Tensor]  # likewise by ITN and LW together
    thetas: list[list[Tensor]]  # of STN and of ITN, at each scale


class Transformers(nn.Module):
    """STN, LW and ITN of one frame, each for so many channels at each scale, or at none."""

    def __init__(self, affine: Sequence[int], local: Sequence[int], pictures: Sequence[int], localisation: int) -> None:
        super().__init__()
        self.affine = nn.ModuleList(Localisation(seen, localisation) for seen in affine)
        self.local = nn.ModuleList(LocalWarping(seen) for seen in local)
        self.pictures = nn.ModuleList(Localisation(seen, localisation) for seen in pictures)

    def forward(self, features: Sequence[Tensor], still: Sequence[Tensor], mirrored: bool) -> Moved:
        """Features (fine to coarse) and middle frame (coarse to fine), moved; ``mirrored``: by the opposite motion."""
        turned = [_maybe_inverse(find(u), mirrored) for find, u in zip(self.affine, features, strict=False)]
        shifted = [-find(u) if mirrored else find(u) for find, u in zip(self.local, features, strict=False)]
        shown = [_maybe_inverse(find(one), mirrored) for find, one in zip(self.pictures, still, strict=False)]
        maps = []
        for level, u in enumerate(features):
            parts = [warp(u, affine_displacement(turned[level], _size(u)))] if turned else []
            parts += [warp(u, shifted[level])] if shifted else []
            maps.append(torch.cat([*parts, u], 1))
        moves = [affine_displacement(theta, _size(one)) for theta, one in zip(shown, still, strict=False)]
        return Moved(
            maps,
            [warp(one, move) for one, move in zip(still, moves, strict=True)] if moves else None,
            _along(still, moves, shifted),
            [turned, shown],
        )


def _along(still: Sequence[Tensor], moves: Sequence[Tensor], shifted: Sequence[Tensor]) -> list[Tensor]:
    """The middle frame, coarse to fine, moved by its affine displacement and the local ones of this scale and all coarser ones."""
    displacement, found = _doubled(shifted[-1]) if shifted else still[0].new_zeros(()), []
    for k, one in enumerate(still):
        if shifted and k:
            displacement = _doubled(displacement)
        if shifted and k < len(still) - 1:
            displacement = displacement + shifted[-2 - k]
        total = displacement + moves[k] if moves else displacement
        found.append(warp(one, total) if total.ndim else one)
    return found


def _doubled(displacement: Tensor) -> Tensor:
    """A displacement on a map of twice the size, in its pixels."""
    return 2 * F.interpolate(displacement, scale_factor=2.0, mode="bilinear", align_corners=False)


def _stacked(frames: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """Affine maps of several frames at each scale, to one tensor for each scale."""
    return [torch.stack(each, 1) for each in zip(*frames, strict=True)]


def _pyramid(picture: Tensor, scales: int) -> list[Tensor]:
    """The picture at each scale of the decoder, coarse to fine."""
    return [F.avg_pool2d(picture, 2**k) if k else picture for k in range(scales - 1, -1, -1)]


def _maybe_inverse(theta: Tensor, mirrored: bool) -> Tensor:
    return inverse(theta) if mirrored else theta


def _size(field: Tensor) -> tuple[int, int]:
    return field.shape[2], field.shape[3]


def _level(seen: int, out: int) -> nn.Sequential:
    down, again = nn.Conv2d(seen, out, 3, 2, 1), nn.Conv2d(out, out, 3, padding=1)
    level = nn.Sequential(down, nn.LeakyReLU(SLOPE), again, nn.LeakyReLU(SLOPE))
    begin_as_he(level)
    return level
