"""The networks of Jin and others for a video from one blurred picture: the middle frame, then pairs about it.

M. Jin, G. Meishvili, P. Favaro, "Learning to extract a video sequence from a single motion-blurred image", CVPR 2018.

The middle frame comes first; the others follow in pairs about it, outwards, each from the blurred picture and from frames that are
already there:

    x4 = f4(b)    x3 = f3(b, x4, x4)    x5 = f5(b, x3, x4)    x2 = f26(b, x4, x3)    x6 = f26(b, x4, x5)    x1 = f17(b, x3, x2) ...

All work on the folded picture (space to depth), plane by plane with the same weights; a few layers at full size then see all planes
together. Normalisation takes the statistics of the instance, at test time too, so that a tile of a picture gives another result than
the picture. At the published size there are 18.2 million parameters, 4.97 of them of the middle frame. It follows the released code
where the text differs (one set of weights for each pair after the first; the text has one for all of these).
"""

from __future__ import annotations

from math import lcm
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recon.learned.network import Network
from recon.networks.patch_discriminator import PatchDiscriminator

#: Which other frames the networks of the frames beside the middle see.
CHAINS = ("none", "pairs", "sequential")

#: Groups of blocks of the middle frame, each block by its two dilations.
MIDDLE_GROUPS = (((1, 1),) * 3, ((1, 2), (2, 4), (4, 8)), ((8, 4), (4, 2), (2, 1)), ((1, 1),) * 3)

#: The blocks between the plain ones of another frame; how many plain ones stand on each side in the first pair, and in the others.
SIDE_GROUP, FIRST_PLAIN, OTHER_PLAIN = ((1, 2), (4, 8), (8, 4), (2, 1)), 4, 2

#: Channels at full size for each channel of the folded picture, of the middle frame and of another.
MIDDLE_SHARE, SIDE_SHARE = 64 / 144, 32 / 128

#: The last layers begin so much smaller than orthogonal: from zero the difference of a pair would have no gradient.
LAST_LAYER = 0.005


class Frames(NamedTuple):
    """What the networks make of blurred pictures."""

    frames: Tensor  # (N, T, H, W), or (N, T, C, H, W) of several planes
    middle: Tensor  # (N, C, H, W), the network's own middle frame, also where another one was given


class Jin2018(nn.Module, Network):
    """Blurred pictures (N, C, H, W), the mean of T frames, to these frames.

    Parameters
    ----------
    planes : int
        C: 1 for luma, or planes one by one; 3 for colour.
    frames : int
        T, odd; 7 is published.
    width, side_width : int
        Channels of the blocks of the middle frame, and of the others; 144 and 128 are published. Layers at full size follow in
        proportion.
    folds : (int, int)
        Factors of the space to depth of the middle frame, and of the others; 4 and 5 are published.
    chain : str
        ``sequential``: as above. ``pairs``: each frame has a network of its own, and the second one of a pair sees the first. ``none``:
        each has a network of its own.
    with_middle : bool
        Whether the other frames begin from the middle one; else all see the blurred picture alone. Not where ``sequential``.
    shared : bool
        One set of weights for all pairs but the first, as the text of the paper has it. Only where ``sequential``.
    critic : bool
        With a discriminator for adversarial training, as `critic`.
    """

    def __init__(
        self,
        planes: int = 1,
        frames: int = 7,
        width: int = 144,
        side_width: int = 128,
        folds: tuple[int, int] = (4, 5),
        chain: str = "sequential",
        with_middle: bool = True,
        shared: bool = False,
        critic: bool = False,
    ) -> None:
        super().__init__()
        self.settings = {
            **{"planes": planes, "frames": frames, "width": width, "side_width": side_width, "folds": tuple(folds)},
            **{"chain": chain, "with_middle": with_middle, "shared": shared, "critic": critic},
        }
        self.pairs, self.chain, self.with_middle = frames // 2, chain, with_middle
        self.multiple = (lcm(*folds), lcm(*folds))
        self.middle = MiddleFrame(planes, width, folds[0])

        def side(plain: int) -> SideFrame:
            return SideFrame(planes, side_width, folds[1], plain)

        sequential = chain == "sequential"
        sets = min(self.pairs, 2) if sequential and shared else self.pairs
        each = [1 if sequential and distance else 2 for distance in range(sets)]
        plain = [OTHER_PLAIN if distance else FIRST_PLAIN for distance in range(sets)]
        self.sides = nn.ModuleList([nn.ModuleList([side(n) for _ in range(count)]) for count, n in zip(each, plain, strict=True)])
        self.critic = PatchDiscriminator(planes) if critic else None
        begin_orthogonal(self, LAST_LAYER)

    def begin_as_published(self) -> str:
        """Orthogonal, the last layers too."""
        begin_orthogonal(self, 1.0)
        return ""

    def forward(self, blurred: Tensor, middle: Tensor | None = None) -> Frames:
        """All frames; from another middle frame (N, C, H, W) where one is given."""
        own = self.middle(blurred)
        known = {0: own if middle is None else middle}  # by the distance from the middle
        for distance in range(1, self.pairs + 1):
            known |= self.pair(distance, blurred, known)
        frames = torch.stack([known[place] for place in sorted(known)], 1)
        return Frames(frames.flatten(1, 2) if blurred.shape[1] == 1 else frames, own)

    def pair(self, distance: int, blurred: Tensor, known: dict[int, Tensor]) -> dict[int, Tensor]:
        """The two frames at a distance from the middle, from frames that are known by theirs."""
        networks: Any = self.sides[min(distance, len(self.sides)) - 1]
        before, after = networks[0], networks[-1]
        if self.chain == "sequential" and distance > 1:
            return {
                sign * distance: before(blurred, known[sign * (distance - 2)], known[sign * (distance - 1)]) for sign in (-1, 1)
            }
        begun = known[0] if self.with_middle else blurred
        first = before(blurred, begun, begun)
        return {-distance: first, distance: after(blurred, begun if self.chain == "none" else first, begun)}


class MiddleFrame(nn.Module):
    """The blurred picture (N, C, H, W) and what the middle frame differs from it: groups of blocks, each with a way to the result."""

    def __init__(self, planes: int, width: int, fold: int) -> None:
        super().__init__()
        self.fold = fold
        self.embed = nn.Conv2d(fold**2, width, 5, padding=2, bias=False)
        self.groups = nn.ModuleList([_group(width, dilations) for dilations in MIDDLE_GROUPS])
        self.ways = nn.ModuleList([Fusion(width, fold**2) for _ in MIDDLE_GROUPS])
        fine = _channels(width * MIDDLE_SHARE)
        self.join = nn.Sequential(nn.Conv2d(planes, fine, 3, padding=1, bias=False), ResidualBlock(fine))
        self.norm = nn.InstanceNorm2d(fine, affine=True)
        self.last = nn.Conv2d(fine, planes, 3, padding=1, bias=False)

    def forward(self, blurred: Tensor) -> Tensor:
        """The middle frame, (N, C, H, W)."""
        folded = _folded(blurred, self.fold)
        joined = _unfolded(_through(self.embed(folded), folded, self.groups, self.ways), self.fold, blurred.shape[1])
        return blurred + self.last(torch.relu_(self.norm(self.join(joined))))


class SideFrame(nn.Module):
    """Another frame: the nearer one of two that are known, and what it differs from that."""

    def __init__(self, planes: int, width: int, fold: int, plain: int) -> None:
        super().__init__()
        self.fold = fold
        parts = (width - width // 4 * 2, width // 4, width // 4)
        self.embed = nn.ModuleList([nn.Conv2d(fold**2, part, 5, padding=2, bias=False) for part in parts])
        groups = (((1, 1),) * plain, SIDE_GROUP, ((1, 1),) * plain)
        self.groups = nn.ModuleList([_group(width, dilations) for dilations in groups])
        self.ways = nn.ModuleList([Fusion(width, fold**2) for _ in groups])
        fine = _channels(width * SIDE_SHARE)
        self.join = nn.Sequential(nn.Conv2d(planes, fine, 3, padding=1, bias=False), Fusion(fine, fine))
        self.norm = nn.InstanceNorm2d(fine, affine=True)
        self.last = nn.Conv2d(fine, planes, 3, padding=1, bias=False)

    def forward(self, blurred: Tensor, far: Tensor, near: Tensor) -> Tensor:
        """The frame, (N, C, H, W)."""
        folded = [_folded(picture, self.fold) for picture in (blurred, far, near)]
        seen = torch.cat([embed(one) for embed, one in zip(self.embed, folded, strict=True)], 1)
        joined = _unfolded(_through(seen, folded[-1], self.groups, self.ways), self.fold, blurred.shape[1])
        return near + self.last(torch.relu_(self.norm(self.join(joined))))


class ResidualBlock(nn.Module):
    """x, and a 1x1 and two 3x3 convolutions of it, each behind normalisation and ReLU."""

    def __init__(self, width: int, first: int = 1, second: int = 1) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.InstanceNorm2d(width, affine=True) for _ in range(3)])
        self.point = nn.Conv2d(width, width, 1, bias=False)
        self.first = nn.Conv2d(width, width, 3, padding=first, dilation=first, bias=False)
        self.second = nn.Conv2d(width, width, 3, padding=second, dilation=second, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        total = self.point(torch.relu_(self.norms[0](x)))
        total += x
        inner = self.first(torch.relu_(self.norms[1](x)))
        total += self.second(torch.relu_(self.norms[2](inner)))
        return total


class Fusion(nn.Module):
    """A 1x1 and a 3x3 convolution, each behind normalisation and ReLU, to another number of channels."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.InstanceNorm2d(width, affine=True) for _ in range(2)])
        self.point = nn.Conv2d(width, out, 1, bias=False)
        self.around = nn.Conv2d(width, out, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, h, w) to (N, out, h, w)."""
        total = self.point(torch.relu_(self.norms[0](x)))
        total += self.around(torch.relu_(self.norms[1](x)))
        return total


def begin_orthogonal(network: nn.Module, last: float) -> None:
    """Orthogonal convolutions, those that make frames at so much of the scale; discriminators stay as they are."""
    for module in network.modules():
        if isinstance(module, MiddleFrame | SideFrame):
            for layer in module.modules():
                if isinstance(layer, nn.Conv2d):
                    nn.init.orthogonal_(layer.weight)
            nn.init.orthogonal_(module.last.weight, gain=last)


def _group(width: int, dilations: tuple[tuple[int, int], ...]) -> nn.Sequential:
    return nn.Sequential(*[ResidualBlock(width, *pair) for pair in dilations])


def _channels(number: float) -> int:
    """To a multiple of four."""
    return max(4, 4 * round(number / 4))


def _through(x: Tensor, result: Tensor, groups: nn.ModuleList, ways: nn.ModuleList) -> Tensor:
    """The folded picture and what each group adds to it."""
    for group, way in zip(groups, ways, strict=True):
        x = group(x)
        result = result + way(x)
    return result


def _folded(picture: Tensor, fold: int) -> Tensor:
    """(N, C, H, W) to (N C, fold^2, H / fold, W / fold)."""
    return F.pixel_unshuffle(picture.flatten(0, 1)[:, None], fold)


def _unfolded(folded: Tensor, fold: int, planes: int) -> Tensor:
    """Back again."""
    return F.pixel_shuffle(folded, fold).unflatten(0, (-1, planes))[:, :, 0]
