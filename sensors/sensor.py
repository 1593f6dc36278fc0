"""A sensor: what its buckets make of a code, and everything that follows from it.

    charge y = M S x        image = readout(y)

x is the video (T, H, W), S the share (B, T, p, q) of each sub-exposure that a bucket collects, M a small mixing (B, B) between the
buckets of a pixel (leakage, loss). A new sensor says only its `Sensor.share`; forward model, adjoint, pseudo-inverse and capture
are inherited: `sensors.exposure`. Pixels and exposures do not mix here, so that every inverse is closed.

What light and time do besides stays in this form. Lag and late rows change S. Light that is drained while codes are loaded scales M.
Parasitic light falls on the storage nodes of the buckets whatever the code: S gets one more row of ones, which all light falls on,
and M one more column, what each node makes of it: with the mean light of the exposure for the light at the time, charge

    pi_b mean(x) (T + t_read r / rows)        in row r, t_read in sub-exposures.

The lens and the pixel spread light over neighbours before the code, and charge after it: A = X M S K (`sensors.optics`); what they only
dim scales M.

So A is affine in the code. What is not, the readout does to the charge: full well, companding and the rounding of the converter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sensors import colour_filter, identity
from sensors.code_response import CodeResponse
from sensors.exposure import LARGEST_TILE, Exposure, exposable, measured, stacked
from sensors.hot_pixels import left_out
from sensors.neighbour_spread import Spread
from sensors.optics import Optics, charge_kernels, checked_kernel, checked_vignetting, light_kernel
from sensors.plain_numbers import refuse_masked, whole_seed
from sensors.readout import Readout
from sensors.refusal import Refusal
from sensors.temporal_response import checked_lag, delayed_rows, lagged
from sensors.timeline import Timeline
from sensors.timing import Timing

if TYPE_CHECKING:
    from sensors.capture import Capture

#: Video files carry these; what it means for one unit of the stored value to be white.
WHITE_OF = {"uint8": 255.0, "uint16": 65535.0}


@dataclass(frozen=True, eq=False)
class Sensor(ABC):
    """One exposure of a coded sensor, and the chain of them that a recording makes.

    Parameters
    ----------
    code : array_like, (T, p, q) or (M, T, p, q)
        In [0, 1], periodic over the chip; M codes are cycled over the exposures. Read-only; zeros and ones are kept as uint8.
    readout : Readout
        Charge to electrons to DN; the ideal one gives out charge as it is.
    timing : Timing
        Length of a sub-exposure, dead frames, loading of codes.
    colour : str
        ``mono``, ``rgb``, or the mosaic of a colour filter such as ``rggb``, named from the chip's pixel [0, 0]; never guessed from
        a shape.
    origin : (int, int)
        Chip address (row, column) of pixel [0, 0]: the phase of tile, mosaic, maps and noise.
    lag : float or ndarray, (T, T)
        Part of each sub-exposure's light that the code of either neighbour steers, or the matrix: row t says how much of the light
        of sub-exposure t the code of each one steers.
    parasitic : float or (float, ...)
        Parasitic light sensitivity pi, of all buckets or of each: what a storage node collects of the light, in [0, 1).
    cell : int
        Side in pixels of what one value of the code steers; 2 for a code per cell of a mosaic.
    lattice : (int, int, int)
        Set by `phase`, not by users: every how many-th pixel of the chip this is, from which row and column on.
    hot : ndarray, (B, rows, columns), optional
        Ones where a bucket of a pixel of the chip is known to be hot, as calibration finds them; beyond the map none are. See
        `sensors.hot_pixels`.
    optics : Optics
        Point spread, cross-talk and cos^4 in a few numbers: `sensors.optics`.
    psf : ndarray, (h, w), optional
        Measured point spread at the pixels of the sensor, odd sides; beside that of the optics.
    vignetting : ndarray, (rows, columns), optional
        Measured part of the light that reaches each pixel of the chip.
    charge_kernel : ndarray, (1 or B, h, w), optional
        Measured part of the charge of a bucket that arrives at the same bucket of each neighbour; beside that of the optics.

    Raises
    ------
    Refusal
        If the code is not an array of that form with values in [0, 1], or a setting is out of range.
    """

    #: Fields that are never given as text, such as ``two-bucket:leakage=0.02``; a sensor with a field of arrays alone adds it.
    # fmt: off
    not_by_text: ClassVar[tuple[str, ...]] = (
        "code", "readout", "timing", "origin", "lattice", "hot", "optics", "psf", "vignetting", "charge_kernel",
    )
    # fmt: on

    code: NDArray
    _: KW_ONLY
    readout: Readout = Readout()  # noqa: RUF009  (frozen)
    timing: Timing = Timing()  # noqa: RUF009  (frozen)
    colour: str = "mono"
    origin: tuple[int, int] = (0, 0)
    lag: float | NDArray = 0.0
    parasitic: float | tuple[float, ...] = 0.0
    cell: int = 1
    lattice: tuple[int, int, int] = (1, 0, 0)
    hot: NDArray | None = None
    optics: Optics = Optics()  # noqa: RUF009  (frozen)
    psf: NDArray | None = None
    vignetting: NDArray | None = None
    charge_kernel: NDArray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", _checked_code(self.code))
        object.__setattr__(self, "origin", tuple(int(i) for i in self.origin))
        if len(self.origin) != 2 or min(self.origin) < 0:
            raise Refusal(f"origin={list(self.origin)} is not a chip address; needed: [row, column], from 0 on")
        if self.colour not in (known := ("mono", "rgb", *colour_filter.PATTERNS)):
            raise Refusal(f"unknown colour {self.colour!r}; known: {', '.join(known)}")
        object.__setattr__(self, "lag", checked_lag(self.lag, self.code.shape[-3]))
        nodes = np.array(self.parasitic, np.float64)
        object.__setattr__(self, "parasitic", tuple(nodes.tolist()) if nodes.ndim else float(nodes))
        if nodes.ndim > 1 or not ((nodes >= 0) & (nodes < 1)).all():
            raise Refusal(f"parasitic={self.parasitic} is out of range; one number or one of each bucket, 0 <= parasitic < 1")
        if self.cell < 1:
            raise Refusal(f"cell={self.cell} is not a side in pixels; needed: 1 or more")
        object.__setattr__(self, "cell", int(self.cell))
        object.__setattr__(self, "lattice", tuple(int(i) for i in self.lattice))
        if len(self.lattice) != 3 or not all(0 <= start < self.lattice[0] for start in self.lattice[1:]):
            raise Refusal(
                f"lattice={list(self.lattice)} is not [step, row, column] with row and column below the step; leave it alone"
            )
        if self.hot is not None:
            object.__setattr__(self, "hot", _checked_map(self.hot))
        object.__setattr__(self, "psf", checked_kernel(self.psf, "psf", 2))
        object.__setattr__(self, "vignetting", checked_vignetting(self.vignetting))
        object.__setattr__(self, "charge_kernel", checked_kernel(self.charge_kernel, "charge_kernel", 3))
        if self.colour in colour_filter.PATTERNS and not self.pixels_apart:
            raise Refusal(
                f"under the colour filter {self.colour} neighbours are of different planes, which optics and cross-talk would mix; "
                f"expose three colours (colour=rgb) or luma"
            )

    # What a new sensor says -------------------------------------------------------------------------------------------------

    @abstractmethod
    def share(self, code: NDArray) -> NDArray:
        """S (B, T, p, q): the share of each sub-exposure that each bucket collects under one code (T, p, q), without leaks."""

    @property
    def between_buckets(self) -> NDArray[np.float64]:
        """What each bucket receives of the charge meant for each, (B, B, 1|H, 1|W); columns add up to at most 1."""
        return np.eye(self.buckets)[:, :, None, None]

    # What follows ---------------------------------------------------------------------------------------------------------

    @cached_property
    def exposure(self) -> Exposure:
        """Charge from light under the one code of the sensor, and its inverses.

        Raises
        ------
        Refusal
            If the sensor cycles through several codes: each exposure has one, that of ``sensor.at(n)``.
        """
        if self.code.ndim == 4:
            raise Refusal(f"a sensor of {self.codes} codes has no single exposure; take sensor.at(n)")
        return Exposure(self.shares, self.mixing, self.tile, self.origin, self._late_rows, *self._spreads)

    @cached_property
    def shares(self) -> NDArray:
        """S (C, T, p, q) of the code, or (M, C, T, p, q) of M codes; C = B, and 1 more with parasitic light."""
        return self.shares_under(self.code) if self.code.ndim == 3 else np.stack([self.shares_under(code) for code in self.code])

    def shares_under(self, code: NDArray) -> NDArray:
        """S (C, T, p, q) under one code (T, p, q), after lag, cells and late rows, with the row that all light falls on.

        Affine in the code: `code_response`.
        """
        share = lagged(self.share(code), self.lag)
        if self.cell > 1:
            share = share.repeat(self.cell, -2).repeat(self.cell, -1)
        if self.timing.skew:
            share = delayed_rows(share, self.timing.skew * self._down_the_chip)
        if self._has_parasitic_light:
            share = np.concatenate([share, np.ones_like(share[:1])])
        return share

    @cached_property
    def code_response(self) -> CodeResponse:
        """The affine map from any code to its shares, which `sensors.exposure_torch` differentiates."""
        return CodeResponse.measured(self.shares_under, self.code.shape[-3], self.cell, self._late_rows)

    @cached_property
    def mixing(self) -> NDArray[np.float64]:
        """M (B, C, 1|H, 1|W): what each bucket receives of the charge meant for each, and of all light."""
        step, top, left = self.lattice
        inside = self.between_buckets
        inside = inside[:, :, top::step] if inside.shape[2] > 1 else inside
        inside = inside[..., left::step] if inside.shape[3] > 1 else inside
        inside = inside * (1 - self.timing.blanked)
        dimmed = [part[top::step, left::step] for part in (self.optics.falloff(), self.vignetting) if part is not None]
        inside = prod(dimmed, start=inside)
        if not self._has_parasitic_light:
            return inside
        if isinstance(self.parasitic, tuple) and len(self.parasitic) != self.buckets:
            raise Refusal(f"parasitic={list(self.parasitic)} is not one number or {self.buckets}, one of each bucket")
        nodes = np.broadcast_to(self.parasitic, self.buckets)[:, None, None, None]
        stretch = 1 + self.timing.readout_share / self.frames * self._down_the_chip[:, None] if self.timing.readout_time else 1.0
        nodes = prod(dimmed, start=nodes * np.reshape(stretch, (-1, 1)))
        height, width = (max(sides) for sides in zip(inside.shape[2:], nodes.shape[2:], strict=True))
        return np.concatenate([np.broadcast_to(part, (*part.shape[:2], height, width)) for part in (inside, nodes)], axis=1)

    @property
    def buckets(self) -> int:
        """B, the number of images that one exposure gives."""
        return self.shares.shape[-4] - self._has_parasitic_light

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns after which the shares repeat over the chip."""
        rows, columns = (
            max(side * self.cell, own) for side, own in zip(self.code.shape[-2:], self.shares.shape[-2:], strict=True)
        )
        return rows, columns

    @property
    def masked(self) -> bool:
        """Whether the code is a mask over the chip, rather than one that comes round on a grid of small tiles."""
        return max(self.tile) > LARGEST_TILE

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of a cell of the tile grid: the tile, or a single pixel under a mask."""
        return (1, 1) if self.masked else self.tile

    @property
    def late_rows(self) -> bool:
        """Whether rows follow the code at different times, so that no tile is like another."""
        return self.timing.skew > 0

    @property
    def frames(self) -> int:
        """T, the number of sub-exposures in one exposure."""
        return self.code.shape[-3]

    @property
    def codes(self) -> int:
        """M, the number of codes that the exposures cycle through."""
        return 1 if self.code.ndim == 3 else len(self.code)

    @property
    def period(self) -> int:
        """Frames from the start of one exposure to the start of the next."""
        return self.frames + self.timing.dead_frames

    @property
    def duration(self) -> float:
        """Length of one exposure in seconds; 0 where it is not known."""
        return self.code.shape[-3] * self.timing.sub_exposure

    @property
    def exposures_apart(self) -> bool:
        """Whether exposures share no frames."""
        return self.period >= self.frames

    @property
    def pixels_apart(self) -> bool:
        """Whether no pixel gets light or charge of its neighbours."""
        optics = self.optics
        apart = not (optics.spreads or optics.crosstalk or np.any(optics.charge_crosstalk))
        return apart and self.psf is None and self.charge_kernel is None

    @property
    def local(self) -> bool:
        """Whether pixels and exposures stay apart, so that inverses are closed forms."""
        return self.exposures_apart and self.pixels_apart

    def at(self, number: int) -> Sensor:
        """The sensor under the one code that is loaded in the exposure of that number."""
        return self if self.code.ndim == 3 else replace(self, code=self.code[number % self.codes])

    def without_optics(self) -> Sensor:
        """The same sensor behind a sharp lens, of pixels that keep to themselves and are lit alike."""
        return replace(self, optics=Optics(), psf=None, vignetting=None, charge_kernel=None)

    def crop(self, rows: slice, columns: slice) -> Sensor:
        """The part of the chip that sees ``video[:, rows, columns]``: the same code, maps and noise at another origin."""
        top, left = rows.start or 0, columns.start or 0
        if min(top, left) < 0 or {rows.step, columns.step} - {None, 1}:
            raise Refusal(f"a crop is rows[first:last] and columns[first:last] with first >= 0, not {rows} and {columns}")
        return replace(self, origin=(self.origin[0] + top, self.origin[1] + left))

    @cached_property
    def phases(self) -> list[Sensor]:
        """The four phases of a mosaic as mono sensors of their own, in the order of `colour_filter.PHASES`."""
        return [self._phase(self.origin[0] + row, self.origin[1] + column) for row, column in colour_filter.PHASES]

    # The linear model -----------------------------------------------------------------------------------------------------

    def expose(self, video: NDArray, out: NDArray | None = None) -> NDArray:
        """Charge M S x of a video, in the unit of the video.

        Parameters
        ----------
        video : ndarray, (..., T, H, W)
            uint8, uint16, float32 or float64; other types are taken as float64. With M codes the axis before T cycles them.
        out : ndarray, (..., B, H, W), optional

        Returns
        -------
        ndarray, (..., B, H, W)
            Whole numbers, exact, for whole numbers under a code of zeros and ones without leaks; else floating.
        """
        if self.code.ndim == 3:
            return self.exposure.expose(video, out)
        video = exposable(video, self.frames)
        if video.ndim == 3:
            raise Refusal(f"a sensor of {self.codes} codes needs video (exposures, {self.frames}, H, W), not {video.shape}")
        charge = stacked(
            video.shape[:-3], lambda n: self.at(n[-1]).exposure.expose(video[n], None if out is None else out[n])
        )
        return charge if out is None else out

    def adjoint(self, charge: NDArray) -> NDArray:
        """A^T y of charge (..., B, H, W): (..., T, H, W), float32 or float64. The adjoint of `expose`."""
        return self._each(charge, Exposure.adjoint)

    def pseudo_inverse(self, charge: NDArray) -> NDArray:
        """The video of least energy that explains the charge: A^+ y = A^T (A A^T)^+ y, (..., T, H, W)."""
        return self._each(charge, Exposure.pseudo_inverse)

    def expose_timeline(self, video: NDArray) -> NDArray:
        """Charge (N, B, H, W) of all whole exposures of a video (frames, H, W). The adjoint is `expose_timeline_adjoint`."""
        return self.expose(self.timeline(self.exposures_in(len(video))).windows(video))

    def expose_timeline_adjoint(self, charge: NDArray) -> NDArray:
        """A^T of charge (N, B, H, W), added up where exposures share frames: (frames, H, W). The adjoint of `expose_timeline`."""
        return self.timeline(len(charge)).windows_adjoint(self.adjoint(charge))

    def gram(self, weights: NDArray | None = None) -> NDArray:
        """A diag(P) A^T between the buckets of each pixel: `Exposure.gram`."""
        return self.exposure.gram(weights)

    # Captures -------------------------------------------------------------------------------------------------------------

    def capture(self, video: Sequence[NDArray] | NDArray, *, seed: int, first: int = 0, white: float | None = None) -> Capture:
        """Expose and read out a video of any length, one exposure after another.

        Parameters
        ----------
        video : array_like, (frames, H, W) or (frames, H, W, 3)
            Linear irradiance, 1 = white, or integers with ``white``; read slice by slice, so that a lazy recording will do. A mosaic
            sensor takes three colours, or what has passed its filter already.
        seed : int
            Seed of shot and read noise. Noise is keyed by (seed, exposure, bucket, chip address): any blocking, crop or order gives the
            same bits.
        first : int
            Number of the first exposure within the recording, which fixes its noise and its code.
        white : float, optional
            The value that counts as irradiance 1; 255 or 65535 for integers, 1 for floats, unless given.

        Raises
        ------
        Refusal
            If the video has fewer frames than one exposure, another colour than the sensor, or values that are not finite.
        """
        from sensors.capture import Capture

        count, seed = self.exposures_in(len(video)), whole_seed(seed)
        white = white_of(video[0:1]) if white is None else white
        window = self.timeline(count).window
        images = np.stack([self.take(video[window(n)], seed=seed, number=first + n, white=white) for n in range(count)])
        return Capture(images, self.from_exposure(first), self.record(count, white=white, seed=seed, first=first))

    def take(self, video: ArrayLike, *, seed: int, number: int = 0, white: float = 1.0) -> NDArray:
        """The exposure of that number, read out: (T, H, W[, 3]) to (B, H, W[, 3]) in DN (ideal: the charge itself, times ``white``)."""
        refuse_masked(video, "video")
        video = np.asarray(video)
        if self.colour in colour_filter.PATTERNS and video.ndim == 4:
            video = colour_filter.mosaic(video, self.colour, self.origin)
        if video.ndim != (4 if self.colour == "rgb" else 3):
            raise Refusal(f"a {self.colour} sensor cannot take video of shape {video.shape}; choose luma or colour to match")
        if self.colour == "rgb" and video.shape[3] != 3:
            raise Refusal(f"an rgb sensor takes video (T, H, W, 3), not {video.shape}")
        if not white > 0:
            raise Refusal(f"white={white} is the value of irradiance 1; needed: above 0")
        sensor = self.at(number)
        if self.colour != "rgb":
            return sensor._read_out(video, white, seed, number, 0)
        planes = [sensor._read_out(np.ascontiguousarray(video[..., c]), white, seed, number, c) for c in range(3)]
        return np.stack(planes, axis=-1)

    def hot_samples(self, shape: tuple[int, ...], lane: int = 0) -> NDArray[np.bool_] | None:
        """The samples (B, H, W) of a frame (H, W) that tell more of their hot pixel than of the scene; None if there are none."""
        return left_out(
            self.readout,
            (self.buckets, shape[0], shape[1]),
            duration=self.duration,
            known=self.hot,
            origin=self.origin,
            lattice=self.lattice,
            lane=lane,
        )

    def exposures_in(self, frames: int) -> int:
        """How many whole exposures a video of so many frames gives."""
        if frames < self.frames:
            raise Refusal(f"the video has {frames} frame{'s' * (frames != 1)}; one exposure of this sensor needs {self.frames}")
        return (frames - self.frames) // self.period + 1

    def timeline(self, count: int) -> Timeline:
        """So many exposures in a row: which frames each one sees."""
        return Timeline(count, self.frames, self.period)

    def from_exposure(self, first: int) -> Sensor:
        """The sensor whose cycle of codes begins where this one stands at exposure ``first``."""
        return self if first % self.codes == 0 else replace(self, code=np.roll(self.code, -first, axis=0))

    def record(self, count: int, *, white: float, seed: int, first: int = 0, start: int = 0) -> dict[str, Any]:
        """What every capture by this sensor notes down: the frames it saw (N, T), the value of white, the seed."""
        return {
            "white": float(white),
            "frame_index": self.timeline(count).seen(start).tolist(),
            "seed": whole_seed(seed),
            "first_exposure": int(first),
            "synthetic": True,
        }

    # Identity -------------------------------------------------------------------------------------------------------------

    def description(self) -> tuple[dict[str, Any], dict[str, NDArray]]:
        """All that makes this sensor, as a JSON document and the arrays it names; `sensors.from_description` makes it again."""
        return identity.describe(self)

    @cached_property
    def digest(self) -> str:
        """sha256 over all that makes this sensor: equal for equal sensors, and only for them."""
        return identity.digest(self)

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    # ----------------------------------------------------------------------------------------------------------------------

    @property
    def _has_parasitic_light(self) -> bool:
        return bool(np.any(self.parasitic))

    @property
    def _down_the_chip(self) -> NDArray[np.float64]:
        """r / rows of each row of the chip."""
        step, top, _ = self.lattice
        return np.arange(top, self.timing.rows, step) / self.timing.rows

    @property
    def _late_rows(self) -> int:
        """How many rows the chip has, if they are late; else 0."""
        return len(self._down_the_chip) if self.late_rows else 0

    @cached_property
    def _spreads(self) -> tuple[Spread | None, tuple[Spread, ...] | None]:
        """What spreads light, and the charge of each bucket."""
        if self.pixels_apart:
            return None, None
        kernel = light_kernel(self.optics, self.psf)
        charges = charge_kernels(self.optics, self.charge_kernel, self.buckets)
        return None if kernel is None else Spread(kernel), None if charges is None else tuple(map(Spread, charges))

    def _phase(self, row: int, column: int) -> Sensor:
        """Every second pixel from a chip address on, as a mono sensor; maps and rows stay those of the chip."""
        code = self.code.repeat(self.cell, -2).repeat(self.cell, -1) if self.cell > 1 else self.code
        return replace(
            self,
            code=colour_filter.every_second(code, row, column),
            colour="mono",
            origin=(row // 2, column // 2),
            cell=1,
            lattice=(2, row % 2, column % 2),
        )

    def _read_out(self, video: NDArray, white: float, seed: int, number: int, lane: int) -> NDArray:
        charge = self.expose(video)
        if charge.dtype.kind == "f" and not np.isfinite(charge.sum(dtype=np.float64)):
            raise Refusal("the video holds values that are not finite (NaN or infinity)")
        if not self.readout.ideal and white != 1:
            charge = np.multiply(charge, np.float32(1 / white), dtype=np.float32)
        return self.readout.read_out(charge, seed=seed, number=number, lane=lane, origin=self.origin, duration=self.duration)

    def _each(self, charge: NDArray, solve: Callable[[Exposure, NDArray], NDArray]) -> NDArray:
        if self.code.ndim == 3:
            return solve(self.exposure, charge)
        charge = measured(charge, self.buckets)
        return stacked(charge.shape[:-3], lambda n: solve(self.at(n[-1] if n else 0).exposure, charge[n]))


def white_of(video: ArrayLike) -> float:
    """The value that counts as white where nothing else says so: 255 and 65535 for integers, 1 for floats."""
    return WHITE_OF.get(np.asarray(video).dtype.name, 1.0)


def _checked_code(code: ArrayLike) -> NDArray:
    """The code as a read-only array, uint8 where it is all zeros and ones, else float32."""
    refuse_masked(code, "code")
    array = np.asarray(code)
    if array.ndim not in (3, 4) or array.size == 0:
        raise Refusal(f"a code of shape {array.shape} is not (T, p, q) or (M, T, p, q)")
    if array.dtype.kind not in "buif":
        raise Refusal(f"a code of type {array.dtype} is not numbers in [0, 1]")
    if not ((array >= 0) & (array <= 1)).all():
        raise Refusal(f"code values lie in {array.min()} .. {array.max()}; a share of the light lies in 0 .. 1")
    binary = array.dtype == bool or bool(((array == 0) | (array == 1)).all())
    array = np.array(array, np.uint8 if binary else np.float32, order="C")
    array.setflags(write=False)
    return array


def _checked_map(hot: ArrayLike) -> NDArray[np.uint8]:
    """Read-only, zeros and ones."""
    array = np.asarray(hot)
    if array.ndim != 3 or array.dtype.kind not in "bu" or array.size == 0 or array.max() > 1:
        raise Refusal(f"hot pixels are ones in a map (B, rows, columns), not {array.dtype} of shape {array.shape}")
    array = np.array(array, np.uint8, order="C")
    array.setflags(write=False)
    return array
