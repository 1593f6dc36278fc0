"""Mask registration: how the mask of a capture truly lies, told by the capture itself, without a calibration picture.

======  ==========================================================================  ====================
symbol  meaning                                                                     shape
======  ==========================================================================  ====================
p       shift, rotation, scale, blur, sharpness, transmission closed and open       (P,)
A       exposure under the mask moved by p                                          to (N, B, H, W)
L       roughness of the scene, as in `recon.tikhonov`: x ~ Normal(0, s L^-1)
Sigma   variance of the charge y, and a floor for what no smooth scene explains     (N, B, H, W)
C       A L^-1 A^T + Sigma, so that y ~ Normal(0, s C)
K       (A^T Sigma^-1 A + L)^-1 A^T Sigma^-1, the reconstruction: x = K y
w       random signs                                                                (N, B, H, W)
======  ==========================================================================  ====================

The likelihood of y, once the scene is integrated out, has the score and (of p in A x) the information

    g_k = (dA/dp_k x) . u / s - w . (dA/dp_k K w)        H_kl = (dA/dp_k x) . C^-1 (dA/dp_l x) / s

    u = C^-1 y = Sigma^-1 (y - A x): the residual of the reconstruction, weighted        s = y . u / size

The second term of g estimates trace(K dA/dp), the derivative of log det C / 2 (Hutchinson, "A stochastic estimator of the trace of the
influence matrix", 1989): without it a mask that lets more light through always seems likelier. Each step is p + H^-1 g; first the
shift of least y . u is looked up to half a pixel, then steps are taken in the middle of the frame, and then further out, where
rotation and scale move the mask more. Eliminating the scene from a separable problem is variable projection (Golub and Pereyra, SIAM
J. Numer. Anal. 10, 1973). Standard errors are those of the sandwich H^-1 (sum of g g^T over blocks) H^-1, which holds for scenes
that are not Gaussian, too.

A likelihood always has a maximum, also for a mask that never took the capture. What was found stands only where the same mask lying
elsewhere, near and far, explains the capture worse each time: y . u is compared block by block. (Some things no capture tells: a mask
run backwards explains the scene run backwards, and one that moves evenly, shifted along its way, the scene some frames later.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import cycle, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, map_coordinates
from scipy.special import ive

from recon.tikhonov import Tikhonov
from sensors.capture import Capture
from sensors.colour_filter import PATTERNS
from sensors.refusal import Refusal
from sensors.sensor import Sensor


@dataclass(frozen=True)
class Parameter:
    """One way in which a mask may be off."""

    nominal: float
    plausible: float  # standard deviation of what is expected before looking
    step: float  # of the difference that stands for the derivative
    lowest: float
    highest: float
    text: str


PARAMETERS = {
    "down": Parameter(0, 2, 0.25, -np.inf, np.inf, "{:+.3f} px down"),
    "right": Parameter(0, 2, 0.25, -np.inf, np.inf, "{:+.3f} px right"),
    "rotation": Parameter(0, 1, 0.05, -45, 45, "turned by {:+.4f} degrees"),
    "scale": Parameter(1, 0.02, 1e-3, 0.5, 2, "scaled by {:.5f}"),
    "blur": Parameter(0, 0.5, 0.1, 0, 16, "blurred by a variance of {:.3f} px^2"),
    "sharpness": Parameter(0, 1, 0.25, 0, 1, "edges {:.2f} of the way from square cells to splines"),
    "closed": Parameter(0, 0.1, 0.02, 0, 0.5, "letting {:.4f} through where closed"),
    "open": Parameter(1, 0.1, 0.02, 0.5, 1, "and {:.4f} where open"),
}

#: Variance of the charge that no smooth scene explains, in white sub-exposures squared: about 1 % of white.
FLOOR = np.float32(1e-4)

#: Sides of the middle of the frame in which the steps are taken one after another; the last is limited by the frame.
SIDES = (96, 256, 2**20)

#: The first shift is looked up in a part of this side.
COARSE_SIDE = 64

#: Side of the blocks whose scores count as independent.
BLOCK = 16

MOST_STEPS = 12

#: The information is taken anew where the logarithm of the misfit has changed by so much.
OTHER_MISFIT = 0.1

#: Side of the middle in which the mask is compared with itself elsewhere.
VERDICT_SIDE = 128

#: Pixels by which it is rolled in each of the eight directions, and how many times at random besides.
NEAR_BY, FAR_AWAY = (1, 2, 3), 12

#: A tile of up to so many pixels is tried all over, by half pixels and turned over, since little of it may look right by chance.
SMALL_TILE = 40

#: Part of the difference of two masks below which they are about the same, and frames by which these may be apart.
SAME, LATEST = 0.2, 8

#: Pixels by which a mask that moves evenly may be taken for itself a little earlier, under motion that is no smooth scene's.
ALONG_ITS_WAY = 0.03

#: Standard errors by which any of them has to explain the capture worse.
CLEARLY = 4.0

#: Steps end when each is below this part of its standard error.
CLOSE_ENOUGH = 0.1

Position = dict[str, float]


@dataclass(frozen=True)
class MaskRegistration:
    """What `register` found.

    Parameters
    ----------
    capture : Capture
        The same images; its sensor has the mask as it truly lies, one value per pixel.
    value : dict
        Value of each parameter in `PARAMETERS`: pixels, degrees, pixels squared.
    standard_error : dict
        Standard error of those that were estimated.
    untold : tuple of str
        Parameters that this capture cannot tell; they were left as they are on paper.
    """

    capture: Capture
    value: dict[str, float]
    standard_error: dict[str, float]
    untold: tuple[str, ...]

    def __str__(self) -> str:
        said = [
            f"{PARAMETERS[name].text.format(self.value[name])} (+- {error:.2g})"
            for name, error in self.standard_error.items()
            if name not in self.untold
        ]
        return ", ".join(said) + f"; not to be told: {', '.join(self.untold)}" * bool(self.untold)

    @property
    def remark(self) -> str:
        """What else may look like the mask that was found; empty where there is nothing to say."""
        if "closed" in self.untold or self.value["closed"] <= 3 * self.standard_error.get("closed", np.inf):
            return ""
        return (
            "light that passes where the mask is closed looks like a black level that is not subtracted (--black), and like saturated "
            "samples; under either the mask seems to lie off as well"
        )


def register(capture: Capture, *, reach: int = 2, exposures: int = 2) -> MaskRegistration:
    """Estimate how the mask lies, and give the capture the mask that was found.

    Parameters
    ----------
    capture : Capture
        Whose sensor has the mask as it should lie: a full-resolution mask or a tile, grey or of zeros and ones, of one bucket or two.
    reach : int
        Pixels by which the mask may be shifted at most in the search that begins.
    exposures : int
        How many exposures are looked at; all have the same mask or cycle of masks.

    Returns
    -------
    MaskRegistration

    Raises
    ------
    Refusal
        If the code is the same for all pixels, the capture holds no light, or the mask does not explain it: it belongs to another
        capture, is turned over, or lies further off than the search reaches.
    """
    sensor = capture.sensor
    if max(sensor.tile) == 1:
        raise Refusal("a code that is the same for all pixels cannot be off; mask registration is for masks and tiles")
    if not len(capture) or reach < 0 or exposures < 1:
        raise Refusal(f"{len(capture)} exposures, reach={reach}, exposures={exposures}: needed 1 exposure, 0 and 1 or more")
    names = [name for name in PARAMETERS if name != "open" or sensor.buckets > 1]  # with one bucket it is the light itself
    p = on_paper = {name: parameter.nominal for name, parameter in PARAMETERS.items()}
    looked_at = capture[:exposures]
    p = p | _coarse_shift(_Middle(looked_at, COARSE_SIDE), p, reach)
    inner = []
    for side in SIDES[: 1 + sum(side < max(capture.images.shape[2:4]) for side in SIDES)]:
        p, errors = _maximise(_Middle(looked_at, side), p, names)
        inner.append((p, errors))
    untold = tuple(name for name in names if errors[name] > PARAMETERS[name].plausible / 2)
    told = [name for name in names if name not in untold]
    if told and any(p[name] != PARAMETERS[name].nominal for name in untold):
        p = p | {name: PARAMETERS[name].nominal for name in untold}
        p, errors = _maximise(_Middle(looked_at, SIDES[-1]), p, told)
    whole = on_paper | {name: float(round(p[name])) for name in ("down", "right")}
    told_apart = any(abs(p[name] - whole[name]) > error for name, error in errors.items())
    if not (told_apart and _likelier(_Middle(looked_at, SIDES[-1]), whole, p, names)):
        errors = {name: float(np.hypot(error, p[name] - whole[name])) for name, error in errors.items()}
        p = whole
    if any(_is_later(other, sensor) for other in _elsewhere(sensor.code.shape[-2:])):
        at_the_border = np.rad2deg(ALONG_ITS_WAY / (max(capture.images.shape[2:4]) / 2))
        floors = {"down": ALONG_ITS_WAY, "right": ALONG_ITS_WAY, "rotation": float(at_the_border)}
        errors = {name: float(np.hypot(error, floors.get(name, 0.0))) for name, error in errors.items()}
    errors = {name: max(error, *(_apart(p[name], q[name], e[name]) for q, e in inner)) for name, error in errors.items()}
    _refuse_a_mask_that_explains_nothing(looked_at, p)
    record = {**capture.record, "mask_registration": {name: [p[name], error] for name, error in errors.items()}}
    corrected = with_mask(sensor, capture.images.shape[2:4], p)
    return MaskRegistration(Capture(capture.images, corrected, record), p, errors, untold)


def with_mask(sensor: Sensor, shape: tuple[int, ...], p: Position, middle: tuple[float, float] | None = None) -> Sensor:
    """The sensor with its mask moved by p, one value per pixel of a frame.

    Parameters
    ----------
    sensor : Sensor
    shape : (int, int)
        Size of the frame.
    p : dict
        A value for each of `PARAMETERS`. A mask of square cells as large as the pixels is seen through pixels as its bilinear
        interpolation, one with smoother values nearer to cubic splines; blur is the discrete Gaussian of exactly that variance
        (Lindeberg, "Scale-space for discrete signals", PAMI 1990).
    middle : (float, float), optional
        Chip address about which the mask is turned and scaled; by default that of the frame.
    """
    code = sensor.code.repeat(sensor.cell, -2).repeat(sensor.cell, -1) if sensor.cell > 1 else sensor.code
    here = [np.arange(size) + start for size, start in zip(shape, sensor.origin, strict=True)]
    middle = middle or (float(here[0].mean()), float(here[1].mean()))
    down, right = here[0][:, None] - middle[0] - p["down"], here[1] - middle[1] - p["right"]
    angle = np.deg2rad(p["rotation"])
    rows = (np.cos(angle) * down - np.sin(angle) * right) / p["scale"] + middle[0]
    columns = (np.sin(angle) * down + np.cos(angle) * right) / p["scale"] + middle[1]
    covers = [size > at[-1] for size, at in zip(code.shape[-2:], here, strict=True)]
    mask = _linear(code, rows, columns, covers)
    if p["sharpness"] > 0:
        mask += np.float32(p["sharpness"]) * (_cubic(code, rows, columns, covers) - mask)
    if p["blur"] > 0:
        taps = np.arange(-8, 9)
        kernel = ive(taps, p["blur"])
        mask = convolve1d(convolve1d(mask, kernel / kernel.sum(), -1, mode="nearest"), kernel / kernel.sum(), -2, mode="nearest")
    mask = (p["closed"] + (p["open"] - p["closed"]) * mask).clip(0, 1)
    phase = [start % size for start, size in zip(sensor.origin, shape, strict=True)]
    return replace(sensor, code=np.roll(mask, phase, (-2, -1)), cell=1)


def _refuse_a_mask_that_explains_nothing(capture: Capture, p: Position) -> None:
    """Compare the mask at p with itself elsewhere, which should explain the capture clearly worse each time."""
    middle = _Middle(capture, VERDICT_SIDE)
    here = middle.misfit_by_block(p)
    clearness = {}
    for other in _elsewhere(capture.sensor.code.shape[-2:]):
        there = middle.misfit_by_block(p, other)
        if np.array_equal(there, here):
            continue  # it is the same mask
        worse = (there - here) / np.maximum(np.abs(there) + np.abs(here), np.finfo(float).tiny)  # each block has one vote
        clear = float(worse.mean() / max(worse.std(ddof=1), 1e-3) * np.sqrt(worse.size)) if worse.size > 1 else 0.0
        clearness[other] = clear + 2 * CLEARLY * _is_later(other, capture.sensor)
    best = min(clearness, key=clearness.__getitem__, default=None)
    if best is None or clearness[best] >= CLEARLY:
        return
    how = "better than" if middle.misfit_by_block(p, best).sum() < here.sum() else "as well as"
    raise Refusal(
        f"the mask does not explain the capture: {best} it explains it {how} where the fit puts it; needed: the mask that took this "
        "capture, turned as it was and within 2 px, and a scene with detail and motion"
    )


class _Elsewhere(NamedTuple):
    """A mask turned over and moved, in values of the code."""

    flipped: tuple[int, ...] = ()  # axes of the code
    down: float = 0.0
    right: float = 0.0

    def __str__(self) -> str:
        turned = {(): "", (-2,): "upside down and ", (-1,): "mirrored and ", (-2, -1): "turned by 180 degrees and "}[self.flipped]
        return f"{turned}moved by {self.down:+g} rows and {self.right:+g} columns"

    def move(self, sensor: Sensor, p: Position) -> tuple[Sensor, Position]:
        """The sensor with this mask, and where it lies: whole steps roll the code, the rest shifts it."""
        code = np.roll(np.flip(sensor.code, self.flipped), (int(self.down), int(self.right)), (-2, -1))
        rest = {"down": self.down % 1 * sensor.cell, "right": self.right % 1 * sensor.cell}
        return replace(sensor, code=code), p | {name: p[name] + by for name, by in rest.items()}


def _elsewhere(tile: tuple[int, ...]) -> list[_Elsewhere]:
    """Where else a mask of this tile may lie; no two are the same."""
    rows, columns = tile
    if rows * columns <= SMALL_TILE:
        halves = [_Elsewhere((), i / 2, j / 2) for i, j in product(range(2 * rows), range(2 * columns))]
        turned = [_Elsewhere(axes, i, j) for axes in ((-2,), (-1,), (-2, -1)) for i, j in product(range(rows), range(columns))]
        apart = [one for one in halves if max(min(one.down, rows - one.down), min(one.right, columns - one.right)) >= 1]
        return apart + turned
    around = [(k * i, k * j) for k in NEAR_BY for i, j in product((-1, 0, 1), repeat=2)]
    far = np.random.default_rng(0).integers(0, tile, (FAR_AWAY, 2)).tolist()
    rolls = {(down % rows, right % columns): _Elsewhere((), down, right) for down, right in (*far, *reversed(around))}
    return [one for at, one in rolls.items() if at != (0, 0)]


def _is_later(elsewhere: _Elsewhere, sensor: Sensor) -> bool:
    """Whether a mask moved so is about the same mask some frames earlier or later; then it need only not explain the capture better."""
    code = np.asarray(sensor.code, np.float32).reshape(-1, *sensor.code.shape[-2:])
    if elsewhere.flipped or max(abs(elsewhere.down), abs(elsewhere.right)) > max(NEAR_BY):
        return False
    moved = np.roll(code, (int(elsewhere.down), int(elsewhere.right)), (-2, -1))
    unlike = SAME * np.abs(moved - code).mean()
    later = range(1, min(len(code) // 2, LATEST) + 1)
    return any(min(np.abs(a[k:] - b[:-k]).mean() for a, b in ((moved, code), (code, moved))) < unlike for k in later)


class _Middle:
    """The middle of some exposures, as mono planes, and what the likelihood asks of them."""

    def __init__(self, capture: Capture, side: int) -> None:
        shape = capture.images.shape[2:4]
        rows, columns = (slice(first := max(0, (size - side) // 4 * 2), first + min(side, size)) for size in shape)
        images = np.ascontiguousarray(capture.images[:, :, rows, columns])
        middle = Capture(images, capture.sensor.crop(rows, columns), capture.record)
        self._sensor, self._shape = middle.sensor, images.shape[2:4]
        self._centre = tuple(start + (size - 1) / 2 for start, size in zip(capture.sensor.origin, shape, strict=True))
        self._apart = list(middle) if middle.sensor.exposures_apart else [middle]  # those that share frames are solved together
        self._data = [(plane.charge, plane.variance + FLOOR) for one in self._apart for plane in one.planes()]
        self._tikhonov = Tikhonov(tolerance=1e-3)
        self.size = sum(y.size for y, _ in self._data)

    def misfit(self, p: Position) -> float:
        """y . C^-1 y."""
        return sum(float(np.vdot(y, self._explain(y, v, s)[0])) for (y, v), s in zip(self._data, self._sensors(p), strict=True))

    def misfit_by_block(self, p: Position, elsewhere: _Elsewhere | None = None) -> NDArray[np.float64]:
        """y . C^-1 y by blocks, under the mask at p, or where it lies elsewhere."""
        each = zip(self._data, self._sensors(p, elsewhere), strict=True)
        return np.concatenate([_blocks(y * self._explain(y, v, s)[0]) for (y, v), s in each])

    def score(self, p: Position, names: list[str]) -> tuple[float, NDArray, NDArray]:
        """y . C^-1 y, and both terms of the score by blocks, (P, blocks), for s = 1."""
        signs = np.random.default_rng(0)
        sensors = self._sensors(p)
        noise = [signs.choice(np.array([-1, 1], np.float32), y.shape) for y, _ in self._data]
        seen = [self._explain(y, v, s) for (y, v), s in zip(self._data, sensors, strict=True)]
        chance = [self._explain(w, v, s) for w, (_, v), s in zip(noise, self._data, sensors, strict=True)]
        terms = []
        for name in names:
            change = self._change(p, name, [x for _, x in (*seen, *chance)])
            terms.append([_blocks(j * of) for j, of in zip(change, (*(u for u, _ in seen), *noise), strict=True)])
        misfit = sum(float(np.vdot(y, u)) for (y, _), (u, _) in zip(self._data, seen, strict=True))
        by_data, by_chance = np.split(np.array(terms), 2, axis=1)
        return misfit, by_data.reshape(len(names), -1), by_chance.reshape(len(names), -1)

    def information(self, p: Position, names: list[str]) -> NDArray:
        """H, (P, P), for s = 1."""
        sensors = self._sensors(p)
        x = [self._explain(y, v, s)[1] for (y, v), s in zip(self._data, sensors, strict=True)]
        changes = [self._change(p, name, x) for name in names]
        whitened = [
            [self._explain(j, v, s)[0] for j, (_, v), s in zip(change, self._data, sensors, strict=True)] for change in changes
        ]
        return np.array(
            [[sum(np.vdot(j, z) for j, z in zip(js, zs, strict=True)) for zs in whitened] for js in changes], np.float64
        )

    def _change(self, p: Position, name: str, videos: list[NDArray]) -> list[NDArray]:
        """(dA / dp) x of one parameter, for videos that belong to the data, once or several times over."""
        parameter = PARAMETERS[name]
        low, high = max(p[name] - parameter.step, parameter.lowest), p[name] + parameter.step
        ends = [*zip(self._sensors(p | {name: low}), self._sensors(p | {name: high}), strict=True)]
        width = np.float32(high - low)
        return [(b.expose_timeline(x) - a.expose_timeline(x)) / width for x, (a, b) in zip(videos, cycle(ends))]

    def _sensors(self, p: Position, elsewhere: _Elsewhere | None = None) -> list[Sensor]:
        """Sensors of each of the data, under the mask at p."""
        sensor, p = elsewhere.move(self._sensor, p) if elsewhere else (self._sensor, p)
        moved = with_mask(sensor, self._shape, p, self._centre)
        each = [moved.at(n) for n in range(len(self._apart))] if moved.exposures_apart else [moved]
        if moved.colour in PATTERNS:
            return [phase for one in each for phase in one.phases]
        return [replace(one, colour="mono") for one in each for _ in range(3 if moved.colour == "rgb" else 1)]

    def _explain(self, y: NDArray, variance: NDArray, sensor: Sensor) -> tuple[NDArray, NDArray]:
        """C^-1 y and x = K y."""
        x = self._tikhonov.smoothest(sensor, y, variance)
        return (y - sensor.expose_timeline(x)) / variance, x


def _coarse_shift(middle: _Middle, p: Position, reach: int) -> Position:
    """The shift of the least misfit, to half a pixel."""
    halves = np.arange(-2 * reach, 2 * reach + 1) / 2
    return min(
        ({"down": float(i), "right": float(j)} for i, j in product(halves, halves)), key=lambda shift: middle.misfit(p | shift)
    )


def _maximise(middle: _Middle, p: Position, names: list[str]) -> tuple[Position, dict[str, float]]:
    """The likeliest p and its standard errors: steps of the score, halved where they led to less likely ones."""
    known = [PARAMETERS[name] for name in names]
    nominal, plausible, lowest, highest = (
        np.array([getattr(one, what) for one in known]) for what in ("nominal", "plausible", "lowest", "highest")
    )
    at = tried = np.array([p[name] for name in names])
    misfit = largest = informed = 0.0
    rise = error = step = information = np.empty(0)
    length = 1.0
    for _ in range(MOST_STEPS):
        found, data_term, chance_term = middle.score(p | _named(names, tried), names)
        if not found > 0:
            raise Refusal("the capture is dark or saturated all over: nothing tells where its mask lies")
        s = found / middle.size
        if not misfit or abs(np.log(found / informed)) > OTHER_MISFIT:
            information, informed = middle.information(p | _named(names, tried), names), found
        curvature = information / s + np.diag(plausible**-2)
        determinant = chance_term.sum(1) + (tried - nominal) / plausible**2  # how log det C / 2 rises, and what the prior costs
        by_block = data_term / s - chance_term
        gradient = by_block.sum(1) - (tried - nominal) / plausible**2
        free = ~(((tried <= lowest) & (gradient < 0)) | ((tried >= highest) & (gradient > 0)))
        wanted = np.zeros_like(at)
        wanted[free] = np.linalg.solve(curvature[np.ix_(free, free)], gradient[free])
        likelier = not misfit or _rise(middle.size, misfit, found, rise, determinant, tried - at) <= 0
        if likelier or gradient @ wanted < largest:
            length = min(1.0, 2 * length)
            misfit, rise, at, largest = found, determinant, tried, float(gradient @ wanted)
            step = wanted.clip(-plausible / 4, plausible / 4)
            inverse = np.linalg.inv(curvature)
            error = np.sqrt(np.diag(inverse @ (by_block @ by_block.T + np.diag(plausible**-2)) @ inverse))
        else:
            length /= 2
        tried = (at + length * step).clip(lowest, highest)
        if (np.abs(tried - at) < CLOSE_ENOUGH * error).all():
            break
    return p | _named(names, at), _named(names, error)


def _apart(value: float, inner: float, error: float) -> float:
    """By how much the middle of the frame differs from all of it beyond noise, as a standard error of what the model lacks."""
    return max(0.0, abs(value - inner) - 2 * error)


def _likelier(middle: _Middle, p: Position, other: Position, names: list[str]) -> bool:
    """Whether the data rather come from the other position.

    The mask on paper has the sharpest edges there are; near it a step hardly changes the score, but does change the likelihood.
    """
    (misfit, _, rise), (found, _, determinant) = (middle.score(one, names) for one in (p, other))
    step = np.array([other[name] - p[name] for name in names])
    return _rise(middle.size, misfit, found, rise.sum(1), determinant.sum(1), step) < 0


def _rise(size: int, misfit: float, found: float, rise: NDArray, determinant: NDArray, step: NDArray) -> float:
    """By how much -log likelihood grows with a step: what fits worse, and log det C / 2 by its slope at both ends."""
    return float(size / 2 * np.log(found / misfit) + (rise + determinant) / 2 @ step)


def _named(names: list[str], values: NDArray) -> Position:
    return dict(zip(names, values.tolist(), strict=True))


def _blocks(product: NDArray) -> NDArray[np.float64]:
    """Sums of (N, B, H, W) over blocks of pixels, (blocks,)."""
    field = product.sum((0, 1), dtype=np.float64)
    edges = [np.arange(0, size, BLOCK) for size in field.shape]
    return np.add.reduceat(np.add.reduceat(field, edges[0], 0), edges[1], 1).ravel()


def _linear(code: NDArray, rows: NDArray, columns: NDArray, covers: list[bool]) -> NDArray[np.float32]:
    """A code (..., p, q) between its pixels; a mask that covers the frame goes on as at its border, a tile repeats."""

    def at(i: NDArray, j: NDArray) -> NDArray:
        i, j = (k.clip(0, n - 1) if all_of_it else k % n for k, n, all_of_it in zip((i, j), code.shape[-2:], covers, strict=True))
        return code[..., i, j].astype(np.float32)

    i, j = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    f, g = (rows - i).astype(np.float32), (columns - j).astype(np.float32)
    return (1 - f) * ((1 - g) * at(i, j) + g * at(i, j + 1)) + f * ((1 - g) * at(i + 1, j) + g * at(i + 1, j + 1))


def _cubic(code: NDArray, rows: NDArray, columns: NDArray, covers: list[bool]) -> NDArray[np.float32]:
    """The same by cubic splines."""
    mode = "nearest" if all(covers) else "grid-wrap"
    frames = [map_coordinates(one, (rows, columns), np.float32, 3, mode) for one in code.reshape(-1, *code.shape[-2:])]
    return np.reshape(frames, (*code.shape[:-2], *rows.shape))
