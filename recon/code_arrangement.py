"""How a periodic code lies on a capture: phase of its tile, orientation, roles of the buckets and order of the frames.

======  ==========================================================================  =========
symbol  meaning                                                                     shape
======  ==========================================================================  =========
c       the code as it is believed to be                                            (T, p, q)
l_a     log evidence of the patches under arrangement a (`arrangement_evidence`)    (n,)
D       l of the likeliest arrangement less l of another, patch by patch            (n,)
z       sum D / sqrt(sum (D - mean D)^2): how sure the likeliest one is             scalar
======  ==========================================================================  =========

A residual cannot tell: under an impulse code all arrangements explain every capture. What stands still tells nothing either, since any
order of its frames is as likely. Arrangements that give the same array are one; so are a code and its reverse in time, for a prior over
video has no arrow of time. Which of the two it is, is told by neighbouring exposures, whose last and first frames follow each other. An
impulse code turned by 180 degrees *is* the reversed one.

Roles of the buckets are told by their light wherever the duty cycle of the code is not one half, else by the evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from recon.arrangement_evidence import log_evidence
from recon.gaussian_mixture import GaussianMixture
from recon.gmm import GaussianMixtureMMSE
from sensors.capture import Capture
from sensors.orientations import TURNED, Turn
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: Orientations of a code (..., p, q), in words.
TURNS: dict[str, Turn] = {"": lambda code: code, **TURNED}

EXCHANGED, REVERSED = "with its buckets exchanged", "with its frames in reverse order"

#: Patches that are asked, in all, and exposures they come from.
PATCHES, EXPOSURES = 480, 6

#: z from which the likeliest arrangement is certain, and below which another one cannot be told from it.
SURE = 4.5

#: Arrangements beyond this number are ranked first, by so many components and patches, and so many are kept.
RANKED, COMPONENTS, FEW, KEPT = 96, 4, 96, 48

#: More than these take too long.
MOST = 4096

#: Ratio of light between the buckets from which roles are told by it, and factor within which one of them has to explain it.
TOLD_BY_LIGHT, LIGHT = 1.25, 1.3

#: Distance of the patches from the likeliest arrangement's prediction, in units of its own spread, beyond which nothing is explained.
EXPLAINED = 3.0

#: Noise that no readout states: the prior is not so exact, in white sub-exposures.
FLOOR = 1e-4


@dataclass(frozen=True, eq=False)
class Arrangement:
    """One way in which the code may lie.

    Parameters
    ----------
    code : ndarray, (T, p, q)
    names : tuple of str
        All combinations of phase, orientation, roles and order that give this array or its reverse, the plainest first.
    changes : tuple of (Turn, (int, int), bool)
        What makes the array of the first name: turn, rows down and columns right, whether buckets are exchanged.
    """

    code: NDArray
    names: tuple[str, ...]
    turn: Turn
    moved: tuple[int, int]
    exchanged: bool

    def of(self, code: NDArray) -> NDArray:
        """The same change of a code (T, p, q) or of several (M, T, p, q)."""
        turned = np.roll(self.turn(code), self.moved, (-2, -1))
        return np.ascontiguousarray(turned.max() - turned if self.exchanged else turned)


@dataclass(frozen=True, eq=False)
class Alignment:
    """What was found.

    Parameters
    ----------
    capture : Capture
        Under the code as it lies; under the believed one where that is as likely as any.
    how : str
        What was changed, in words; empty if nothing.
    sure : bool
        Whether the arrangement is certain, but for the order of the frames.
    order : str
        ``told``, ``symmetric`` (a code that is its own reverse), or ``unknown``.
    z : float
        How sure, in standard deviations over the patches.
    rivals : tuple of str
        What cannot be told from it.
    distance : float
        How well the arrangement explains the patches: about 1, or less, where prior and noise hold; 1 where that is not asked.
    asked, unit : int, str
        How many parts of the frame z is told from, and what these are.
    """

    capture: Capture
    how: str
    sure: bool
    order: str
    z: float
    rivals: tuple[str, ...]
    distance: float
    asked: int
    unit: str = "patches"

    @property
    def lines(self) -> list[str]:
        """For a user, a line each."""
        how = self.how or "as stated"
        sure = "certain" if self.sure else "UNSURE"
        said = [f"code: {how} ({sure}: {self.z:.1f} standard deviations over {self.asked} {self.unit} before any other arrangement)"]
        if not self.sure:
            count, others = len(self.rivals), "; ".join(self.rivals[:4]) + "; ..." * (len(self.rivals) > 4)
            said.append(
                f"note: nothing moves, or too little, to tell it from {count} other{'s' * (count != 1)} ({others})"
                + "; the code is kept as stated" * (not self.how)
            )
        if self.order == "unknown":
            said.append(
                "note: the order of the frames within an exposure may be reversed; several exposures of something that moves would tell"
            )
        return said


def align(capture: Capture, weights: str = "gmm") -> Alignment:
    """Find how the code of a capture lies.

    Parameters
    ----------
    capture : Capture
        Mono or rgb, of a periodic code that the prior is long enough for.
    weights : str
        The prior.

    Raises
    ------
    Refusal
        If the code is a mask or of a mosaic, longer than the prior, or no arrangement explains the capture.
    """
    plane, sensor = _plane(capture)
    prior = _prior(sensor, weights)
    every = arrangements(sensor.at(0).code, _roles(plane))
    patches, variance, tops, lefts = _patches(plane)
    kept = every
    if len(every) > RANKED:
        few = slice(None, None, max(len(patches) // FEW, 1))
        rough = _ranking(prior)
        quick = [_evidence(rough, sensor, one, patches[few], variance, tops[few], lefts[few])[0].sum() for one in every]
        order = np.argsort(-np.array(quick))[:KEPT]
        kept = [every[0], *(every[n] for n in order if n)]
    found = [_evidence(prior, sensor, one, patches, variance, tops, lefts) for one in kept]
    return _decided(capture, kept, np.stack([one for one, _ in found]), [float(np.median(far)) for _, far in found], weights)


def arrangements(code: NDArray, roles: tuple[bool, ...]) -> list[Arrangement]:
    """All that differ, apart from the order of time; the believed one first."""
    found: dict[bytes, Arrangement] = {}
    for exchanged, (turn, change) in product(roles, TURNS.items()):
        turned = change(code)
        for moved in product(*map(range, turned.shape[-2:])):
            one = Arrangement(code, (), change, (moved[0], moved[1]), exchanged)
            array = one.of(code)
            backward = np.ascontiguousarray(array[::-1])
            name = " ".join(filter(None, (turn, _displaced(moved, turned.shape[-2:]), EXCHANGED * exchanged)))
            key = _key(array)
            known = key in found or _key(backward) in found
            key = key if key in found or not known else _key(backward)
            names = (*found[key].names, name) if known else (name,)
            found[key] = replace(found[key], names=names) if known else replace(one, code=array, names=names)
    return list(found.values())


def _key(code: NDArray) -> bytes:
    return str(code.shape).encode() + code.tobytes()


def _displaced(moved: tuple[int, ...], tile: tuple[int, ...]) -> str:
    said = [
        f"{step} {what}{'s' * (step > 1)} {way}"
        for step, what, way in zip(moved, ("row", "column"), ("down", "right"), strict=True)
        if step
    ]
    return f"moved by {' and '.join(said)}" if said else ""


def _plane(capture: Capture) -> tuple[Capture, Sensor]:
    sensor = capture.sensor
    if not len(capture):
        raise Refusal("the capture holds no exposure")
    if sensor.colour not in ("mono", "rgb"):
        raise Refusal(
            "the arrangement of a code under a colour mosaic is not told by it; align a mono capture of the same camera"
        )
    if sensor.masked:
        raise Refusal("this code is a full-resolution mask, not a tile that repeats; --calibrate-mask finds how such a mask lies")
    if not sensor.local or sensor.late_rows:
        raise Refusal("exposures or pixels of this sensor share light, or its rows are late; its code has no arrangement of its own")
    planes = capture.planes()
    plane = planes[len(planes) // 2]
    return plane, plane.sensor


def _prior(sensor: Sensor, weights: str) -> GaussianMixture:
    method = GaussianMixtureMMSE(weights)
    if reason := method.refusal(sensor.at(0)):
        raise Refusal(reason)
    return method.prior(sensor.frames)


def _ranking(prior: GaussianMixture) -> GaussianMixture:
    """The heaviest components alone."""
    heavy = np.argsort(-prior.weights)[:COMPONENTS]
    return GaussianMixture(prior.weights[heavy], prior.means[heavy], prior.factors[heavy], prior.floor[heavy], prior.patch)


def _roles(plane: Capture) -> tuple[bool, ...]:
    """Whether buckets may be exchanged, by their light where it tells."""
    sensor = plane.sensor.at(0)
    if sensor.buckets != 2:
        return (False, True) if sensor.buckets == 1 and sensor.code.max() > 0 else (False,)
    white = sensor.expose(np.ones((sensor.frames, *plane.images.shape[2:4]), np.float32)).mean((1, 2))
    if min(white) <= 0:
        return (False,)
    charge = np.where(np.isfinite(plane.variance), plane.charge, np.nan)
    with np.errstate(all="ignore"):
        light = np.nanmean(charge, (0, 2, 3))
    expected = float(white[0] / white[1])
    if max(expected, 1 / expected) < TOLD_BY_LIGHT or not (light > 0).all():
        return (False, True)
    off = [abs(np.log(light[0] / light[1] / ratio)) for ratio in (expected, 1 / expected)]
    if min(off) > np.log(LIGHT):
        raise Refusal(
            f"no arrangement of this code explains the capture: bucket 0 has {light[0] / light[1]:.3g} times the light of bucket 1; "
            f"the duty cycle of the code gives {expected:.3g}, or {1 / expected:.3g} with buckets exchanged; is it another code, or a "
            "black level that is not subtracted (--black)?"
        )
    return (bool(off[1] < off[0]),)


def _patches(plane: Capture) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Patches (n, B, 8, 8) where most changes, of the exposures of the first code; the noise of buckets, and first rows and columns."""
    sensor, side = plane.sensor, 8
    numbers = range(0, min(len(plane), EXPOSURES * sensor.codes), sensor.codes)
    charge = np.stack([plane.charge[n] for n in numbers]).astype(np.float64)
    variance = np.stack([plane.variance[n] for n in numbers]).astype(np.float64)
    p, q = sensor.tile
    period = int(np.lcm(p, q))
    step = period * max(1, round(side / period))
    rows, columns = (np.arange(0, size - side + 1, step) for size in charge.shape[2:])
    if not (rows.size and columns.size):
        raise Refusal(
            f"frames of {charge.shape[2]}x{charge.shape[3]} are too small to tell how the code lies; needed: some hundred pixels"
        )
    change = _change(charge)
    places = [
        (n, i, j)
        for n in range(len(charge))
        for i in rows
        for j in columns
        if np.isfinite(variance[n, :, i : i + side, j : j + side]).all()
    ]
    if not places:
        raise Refusal("every patch of the capture holds saturated samples; there is nothing to tell how the code lies")
    places.sort(key=lambda at: -change[at[0], at[1] : at[1] + side, at[2] : at[2] + side].mean())
    places = places[:PATCHES]
    taken = np.stack([charge[n, :, i : i + side, j : j + side] for n, i, j in places])
    noise = np.stack([variance[n, :, i : i + side, j : j + side].mean((1, 2)) for n, i, j in places])
    tops, lefts = (np.array([at[axis] for at in places]) for axis in (1, 2))
    return taken, np.maximum(np.median(noise, 0), FLOOR), tops, lefts


def _change(charge: NDArray) -> NDArray:
    """What changes from exposure to exposure, (N, H, W); of a single one its detail."""
    light = charge.sum(1)
    if len(light) > 1:
        steps = np.abs(np.diff(light, axis=0))
        return np.concatenate([steps[:1], steps])
    return np.abs(np.gradient(light, axis=1)) + np.abs(np.gradient(light, axis=2))


def _evidence(
    prior: GaussianMixture, sensor: Sensor, one: Arrangement, patches: NDArray, variance: NDArray, tops: NDArray, lefts: NDArray
) -> tuple[NDArray, NDArray]:
    """Log evidence and distance of each patch; patches of one phase together."""
    collected = replace(sensor.at(0), code=one.code).exposure.on_tile
    p, q = collected.shape[2:]
    phase = (tops + sensor.origin[0]) % p * q + (lefts + sensor.origin[1]) % q
    evidence, distance = np.empty(len(patches)), np.empty(len(patches))
    around = np.arange(patches.shape[-1])
    for here in np.unique(phase):
        row, column = divmod(int(here), q)
        pattern = collected[:, :, (row + around[:, None]) % p, (column + around) % q]
        mine = phase == here
        evidence[mine], distance[mine] = log_evidence(prior, pattern, patches[mine], variance)
    return evidence, distance


def _decided(capture: Capture, kept: list[Arrangement], evidence: NDArray, distance: list[float], weights: str) -> Alignment:
    best = int(evidence.sum(1).argmax())
    scores = [lead(evidence[best] - one) if n != best else np.inf for n, one in enumerate(evidence)]
    rivals = [n for n, score in enumerate(scores) if score < SURE]
    z = min((score for score in scores if np.isfinite(score)), default=np.inf)
    if distance[best] > EXPLAINED:
        raise Refusal(
            f"no arrangement of this code explains the capture: under the likeliest one its patches lie {distance[best]:.3g} times as "
            "far from what the prior expects as they should; is it another code, another white or black level, or noise that the "
            "sensor does not state?"
        )
    chosen = 0 if 0 in rivals or best == 0 else best
    aligned = _under(capture, kept[chosen])
    order, backward = _order(aligned, weights) if chosen == best else ("unknown", False)
    if backward:
        sensor = aligned.sensor
        aligned = replace(aligned, sensor=replace(sensor, code=np.ascontiguousarray(sensor.code[..., ::-1, :, :])))
    how = _words(kept[chosen], backward, order)
    others = tuple(kept[n].names[0] or "as stated" for n in rivals if n != chosen)
    if best not in rivals and chosen != best:
        others = (kept[best].names[0] or "as stated", *others)
    return Alignment(aligned, how, not rivals, order, float(z), others, distance[best], evidence.shape[1])


def lead(difference: NDArray) -> float:
    """z of the sum of differences over patches."""
    spread = float(np.sqrt(np.square(difference - difference.mean()).sum()))
    return float(difference.sum()) / spread if spread > 0 else 0.0


def _under(capture: Capture, one: Arrangement) -> Capture:
    code = one.of(capture.sensor.code)
    return capture if np.array_equal(code, capture.sensor.code) else replace(capture, sensor=replace(capture.sensor, code=code))


def _words(one: Arrangement, backward: bool, order: str) -> str:
    return " ".join(filter(None, (one.names[0], REVERSED * backward)))


def _order(capture: Capture, weights: str) -> tuple[str, bool]:
    """Whether the order of frames is told, and whether it is the reverse."""
    code = capture.sensor.at(0).code
    if np.array_equal(code, code[::-1]):
        return "symmetric", False
    if len(capture) < 2 or capture.sensor.timing.dead_frames >= capture.sensor.frames:
        return "unknown", False
    ahead = _continuity(capture, weights)
    return ("told", ahead < 0) if abs(ahead) > SURE else ("unknown", False)


def _continuity(capture: Capture, weights: str) -> float:
    """z of how much better the first frame of an exposure goes on from the last of the one before than the other way round."""
    return continuity(GaussianMixtureMMSE(weights, stride=4).reconstruct(_plane(capture)[0][:EXPOSURES]))


def continuity(video: NDArray) -> float:
    """The same of reconstructed exposures (N, T, H, W)."""
    video, side = video.astype(np.float64), 8
    rows, columns = (size // side for size in video.shape[2:])
    cut = video[:, :, : rows * side, : columns * side].reshape(*video.shape[:2], rows, side, columns, side)
    forward = np.square(cut[1:, 0] - cut[:-1, -1]).mean((2, 4))
    backward = np.square(cut[1:, -1] - cut[:-1, 0]).mean((2, 4))
    return lead(np.log((backward + FLOOR) / (forward + FLOOR)).ravel())
