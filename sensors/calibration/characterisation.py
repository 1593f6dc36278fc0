"""All that a set of darks, flats and coded captures tells about a sensor, and for the rest the reason why it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensors.calibration import (
    dark_frames,
    non_uniformity,
    parasitic_light,
    photon_transfer,
    plausibility,
    tap_contrast,
    temporal_mixing,
)
from sensors.calibration.estimate import Estimate, estimate, half_width, replicates
from sensors.calibration.stack_moments import CLIPPED, StackMoments, least_step
from sensors.refusal import Refusal

#: Numbers that a dark enters, and those of two buckets among them.
_OF_THE_DARK = ("dark_current", "read_noise", "row_noise", "dsnu", "hot_pixels", "gain", "full_well", "prnu", "white")
_OF_TWO_BUCKETS = ("leakage", "mismatch")

#: Pixels that stand at an end of the converter in every dark are stuck, unless they are more than this part of all.
_FEW = 0.01

#: Largest difference, relative, between the levels that flats state and the light that is on them.
_AS_STATED = 0.05


@dataclass(frozen=True)
class Stack:
    """A stack of frames taken alike, and how.

    Parameters
    ----------
    moments : StackMoments
    seconds : float
        Exposure time.
    level : float, optional
        Irradiance, 1 = white.
    duty : float, optional
        Part of the sub-exposures in which the code is open.
    readout : float
        Seconds from the readout of the first row to that of the last.
    """

    moments: StackMoments
    seconds: float = 0.0
    level: float | None = None
    duty: float | None = None
    readout: float = 0.0


@dataclass
class Characterisation:
    """What was measured.

    Parameters
    ----------
    sensor, readout, beside : dict of str to Estimate
        Settings of the sensor, of its readout, and numbers that are settings of neither.
    missing : dict of str to str
        What could not be had, and why.
    maps : dict of str to ndarray
        Per pixel.
    curve : PhotonTransfer, optional
        For the plot.
    """

    sensor: dict[str, Estimate] = field(default_factory=dict)
    readout: dict[str, Estimate] = field(default_factory=dict)
    beside: dict[str, Estimate] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    maps: dict[str, NDArray] = field(default_factory=dict)
    curve: photon_transfer.PhotonTransfer | None = None

    def document(self) -> dict[str, Any]:
        """Groups of numbers as in a preset."""
        named = {"sensor_settings": self.sensor, "readout": self.readout, "measured": self.beside}
        groups = {group: {name: each.document() for name, each in part.items() if each.finite} for group, part in named.items()}
        every = [pair for part in named.values() for pair in part.items()]
        lost = {name: each.trouble or "the data do not determine it" for name, each in every if not each.finite}
        return {**groups, "not_measured": {**self.missing, **lost}}


def characterise(
    darks: Sequence[Stack],
    flats: Sequence[Stack] = (),
    ramp: Sequence[Stack] = (),
    *,
    strobed: Sequence[NDArray] = (),
    parasitic: Sequence[Stack] = (),
    bits: int | None = None,
    sub_exposures: int | None = None,
) -> Characterisation:
    """Measure what can be measured.

    Parameters
    ----------
    darks, flats, ramp : sequence of Stack
        Without light; at various levels with the code open or shut throughout; at one level with various duty cycles.
    strobed : sequence of ndarray
        See `temporal_mixing`.
    parasitic : sequence of Stack
        Lit during a long readout, one per bucket that is open: duty 1 for bucket 0, duty 0 for bucket 1.
    bits : int, optional
        Bits of the converter; None: not rounded.
    sub_exposures : int, optional
        Sub-exposures of an exposure, by which the electrons of one of them are known.

    Raises
    ------
    Refusal
        If there is no dark, the stacks differ in shape, darks and flats are swapped or the buckets are.
    """
    if not any(dark.moments.frames > 1 for dark in darks):
        copies = ", and one frame copied is one frame" * any(dark.moments.copies for dark in darks)
        raise Refusal(f"calibration begins with darks: a stack of at least two frames of kind dark is needed{copies}")
    shapes = {each.moments.mean.shape for each in (*darks, *flats, *ramp, *parasitic)}
    if len(shapes) > 1:
        raise Refusal(
            f"the stacks differ in (buckets, rows, columns): {', '.join(map(str, sorted(shapes)))}; they should be alike"
        )
    plausibility.refuse_swapped_folders([dark.moments for dark in darks], [each.moments for each in (*flats, *ramp, *parasitic)])
    bench = _Bench(list(darks), bits, sub_exposures)
    bench.hot_pixels()
    bench.mixing(strobed)
    if why := plausibility.clipped_darks(bench.stacks, bench.good):
        bench.found.readout, bench.found.maps = {}, {}
        others = (*_OF_THE_DARK, *_OF_TWO_BUCKETS * (bench.buckets == 2))
        bench.found.missing |= {"black_level": why, **dict.fromkeys(others, "needs darks that are not clipped")}
        return bench.found
    noisy = [flat for flat in flats if flat.moments.frames > 1]
    for lit in (ramp, flats):
        shorter = bench.dark_for(lit[0].seconds) if lit else bench.stacks[0]
        plausibility.refuse_swapped_buckets([float(each.duty or 0) for each in lit], [each.moments for each in lit], shorter)
    bench.offsets(flats)
    bench.photon_transfer(noisy)
    bench.noise()
    bench.uniformity(noisy)
    bench.parasitic(parasitic, noisy)
    bench.taps(ramp)
    bench.white(ramp or flats)
    return bench.found


class _Bench:
    """The numbers on the way, as replicates; each step adds to ``found``."""

    def __init__(self, darks: list[Stack], bits: int | None, sub_exposures: int | None) -> None:
        self.darks, self.bits, self.sub_exposures = darks, bits, sub_exposures
        self.seconds, self.stacks = [dark.seconds for dark in darks], [dark.moments for dark in darks]
        self.buckets = len(self.stacks[0].mean)
        self.dark_slope: NDArray[np.float64] | None = None
        self.gain: NDArray[np.float64] | None = None
        self.gain_off: NDArray[np.float64] = np.zeros(self.buckets)  # by other lines of photon transfer, relative
        self.ramp: tap_contrast.DutyRamp | None = None
        self.storage: NDArray[np.float64] | None = None
        self.found = Characterisation()

    def dark_for(self, seconds: float) -> StackMoments:
        """The dark nearest in exposure time, with the dark current of what that lacks."""
        nearest = min((dark for dark in self.darks if dark.moments.frames > 1), key=lambda dark: abs(dark.seconds - seconds))
        lacking = seconds - nearest.seconds
        if not lacking or self.dark_slope is None:
            if lacking:
                self.found.missing[f"dark level at {seconds:g} s"] = (
                    f"no dark lasts as long; that of {nearest.seconds:g} s was used"
                )
            return nearest.moments
        return replace(nearest.moments, mean=nearest.moments.mean + (self.dark_slope[0] * lacking)[:, None, None])

    def hot_pixels(self) -> None:
        longest = max((dark for dark in self.darks if dark.moments.frames > 1), key=lambda dark: dark.seconds).moments
        hot = non_uniformity.hot_pixels(longest)
        stuck = longest.pinned == 1
        self.good = ~hot & ~(stuck & (stuck.mean((1, 2), keepdims=True) < _FEW))
        self.found.maps |= {"hot_pixels": hot, "dark_mean": longest.mean.astype(np.float32)}
        self.found.maps["dark_noise"] = np.sqrt(longest.variance).astype(np.float32)
        self.found.readout["hot_pixels"] = non_uniformity.hot_fraction(hot)

    def offsets(self, flats: Sequence[Stack]) -> None:
        self.black, self.dark_slope = dark_frames.black_level_and_slope(self.seconds, self.stacks, self.good)
        how = "mean of the darks" + ("" if self.dark_slope is None else ", extrapolated to zero exposure time")
        self.drift = dark_frames.drift(self.seconds, self.stacks, self.good)
        self.step = self._step([dark.moments for dark in self.darks] + [flat.moments for flat in flats])
        uneven = np.where(self.step % 1 > 0, 1.0, 0.0) if self.bits is not None else 0.0  # rounded a second time, to whole DN
        self.rounding = dark_frames.ROUNDING * (self.step**2 + uneven)
        temporal, spatial = self._noise_of_the_darks()
        of_mean, of_variance = dark_frames.rounding_bias(temporal, spatial, self.step)
        if self.bits is not None:  # steps that differ, since they were rounded to whole DN
            of_mean += 0.5 * (self.step % 1 > 0)
            of_variance += dark_frames.ROUNDING * (np.ceil(self.step) ** 2 - np.floor(self.step) ** 2)
        self.of_rounding = of_mean, of_variance
        self.found.readout["black_level"] = estimate(self.black, how, least=0, beyond=self.drift + self.of_rounding[0])
        if self.dark_slope is None:
            self.found.missing["dark_current"] = "all darks have one exposure time; the black level contains their dark current"

    def photon_transfer(self, flats: list[Stack]) -> None:
        found = self.found
        if not flats:
            found.missing |= dict.fromkeys(("gain", "full_well"), "needs flats of at least two frames at several levels")
            return
        room = None if self.bits is None else 2**self.bits - 1 - self.black[0]
        darks = [self.dark_for(flat.seconds) for flat in flats]
        curve = photon_transfer.photon_transfer(darks, [flat.moments for flat in flats], self.good, room=room)
        found.curve = curve
        if why := self._dependent(flats):
            found.curve = replace(curve, trouble=(why,) * self.buckets)
            found.missing |= dict.fromkeys(("gain", "full_well"), why)
            return
        if any(curve.trouble):
            b = next(b for b, why in enumerate(curve.trouble) if why)
            found.missing |= dict.fromkeys(("gain", "full_well"), f"bucket {b}: {curve.trouble[b]}")
            return
        self.gain, self.gain_off = curve.gain, curve.beyond / curve.gain[0]
        levels = "/".join(str(count) for count in curve.fitted.sum(0))
        found.readout["gain"] = estimate(self.gain, f"photon transfer, {levels} levels up to 70 % of saturation", beyond=curve.beyond)
        dark = self.dark_for(float(np.median([flat.seconds for flat in flats])))
        full = photon_transfer.full_well(curve, replicates(dark.mean, self.good) - self.black)
        if np.isfinite(full[0]).all():
            how = "mean of the flats whose shot noise has vanished"
            found.readout["full_well"] = estimate(full, how, beyond=full[0] * self.gain_off)
            return
        reached = curve.signal[0].max(0) / self.gain[0]
        end = "the converter ends first" if curve.pinned.any() else "no flat is bright enough"
        found.missing["full_well"] = f"{end}; it is at least {', '.join(f'{each:.0f}' for each in reached)} electrons"

    def noise(self) -> None:
        found, rounding = self.found, self.rounding
        variance = dark_frames.dark_variance(self.seconds, self.stacks, self.good, gain=self.gain, black=self.black)
        rows = dark_frames.row_variance(self.stacks, self.good)
        names = ("read_noise", "row_noise") if self.gain is not None else ("read_noise_DN", "row_noise_DN")
        if self.gain is None:
            found.missing |= dict.fromkeys(("read_noise", "dark_current", "dsnu"), "in electrons it needs the gain")
        if why := self._dependent():
            found.missing |= dict.fromkeys(names, why)
            return
        gain = self.gain if self.gain is not None else np.ones((1, self.buckets))
        into, unit = (found.readout, "electrons") if self.gain is not None else (found.beside, "DN")
        if (variance[0] < dark_frames.ROUNDING_FLOOR * self.step**2).any():
            most = np.sqrt(np.max(variance[0] - rounding).clip(0) + rounding.max()) / gain[0].min()
            found.missing[names[0]] = f"rounding hides it: at most {most:.3g} {unit}"
        elif ((variance[0] < dark_frames.SPANNED * self.step**2) & (self.step % 1 > 0) & (self.bits is not None)).any():
            found.missing[names[0]] = "the steps between values differ, as of digital gain, and the noise spans few of them"
        else:
            how = "temporal variance within the rows of the darks, less rounding"
            squared = (variance - rounding) / gain**2
            beyond = self.of_rounding[1] / gain[0] ** 2 + 2 * self.gain_off * np.abs(squared[0])
            into[names[0]] = estimate(squared, how, root=True, beyond=beyond)
        squared = rows / gain**2
        how = "temporal variance of row means in the darks"
        into[names[1]] = estimate(squared, how, root=True, beyond=2 * self.gain_off * np.abs(squared[0]))
        if self.dark_slope is not None and self.gain is not None:
            current = self.dark_slope / gain
            beyond = 2 * self.drift / np.ptp(self.seconds) / gain[0] + self.gain_off * np.abs(current[0])
            into["dark_current"] = estimate(current, "slope of the dark mean over exposure time", least=0, beyond=beyond)

    def uniformity(self, flats: list[Stack]) -> None:
        shortest = min((dark for dark in self.darks if dark.moments.frames > 1), key=lambda dark: dark.seconds).moments
        dsnu = non_uniformity.dsnu_squared(shortest, self.good)
        how = "spatial variance of the mean dark"
        if why := self._dependent():
            self.found.missing |= dict.fromkeys(("dsnu", "prnu"), why)
            return
        if self.gain is None:
            self.found.beside["dsnu_DN"] = estimate(dsnu, how, root=True)
        else:
            self.found.readout["dsnu"] = estimate((dsnu / self.gain**2).mean(-1), how, root=True)
        curve = self.found.curve
        if curve is None or not curve.fitted.any(0).all():
            self.found.missing["prnu"] = "needs a flat that is not saturated"
            return
        squares, maps = [], []
        for b in range(self.buckets):
            flat = self._brightest(flats, b)
            dark = self.dark_for(flat.seconds)
            squares.append(non_uniformity.prnu_squared(flat.moments, dark, self.good)[:, b])
            light = flat.moments.mean[b] - dark.mean[b]
            maps.append(light / light[self.good[b]].mean())
        self.found.readout["prnu"] = estimate(np.mean(squares, axis=0), "spatial variance of a bright flat", root=True)
        self.found.maps["photo_response"] = np.stack(maps).astype(np.float32)

    def taps(self, ramp: Sequence[Stack]) -> None:
        missing = self.found.missing
        if self.buckets == 2:
            missing["drain"] = "it dims all light alike and cannot be told from quantum efficiency; white is measured behind it"
        leakage = mismatch = np.zeros(1)
        if ramp:
            try:
                leakage = self._leakage(ramp)
                mismatch = self._mismatch()
            except Refusal as why:
                missing |= dict.fromkeys(("leakage", "mismatch"), str(why))
        elif self.buckets == 2:
            missing |= dict.fromkeys(("leakage", "mismatch"), "needs a duty ramp")
        if self.storage is not None:
            of_light = parasitic_light.of_the_light(self.storage, leakage, mismatch)
            self.found.sensor["parasitic"] = estimate(
                of_light, "row slope over level of the open bucket, as part of the light", least=0
            )

    def _leakage(self, ramp: Sequence[Stack]) -> NDArray[np.float64]:
        first = ramp[0]
        line = tap_contrast.duty_ramp(
            [float(each.duty or 0) for each in ramp], [each.moments for each in ramp], self.dark_for(first.seconds), self.good
        )
        slope, offset = line.slope, line.offset
        if self.storage is not None:
            wait = first.readout / first.seconds if first.seconds else 0.0
            offset = parasitic_light.without_parasitic(slope, offset, self.storage, wait, first.moments.mean.shape[1])
        self.ramp = replace(line, offset=offset)
        leakage = tap_contrast.leakage(slope, offset)
        beyond = self.ramp.bent + float(((self.drift + 2 * self.of_rounding[0]) / slope[0]).max())
        how = "gain-free duty ramp; to the complement, to the coded bucket"
        self.found.sensor["leakage"] = estimate(leakage, how, least=0, beyond=beyond)
        self.found.beside["tap_contrast"] = estimate(1 - leakage.sum(-1), "1 - leakage both ways", most=1)
        return leakage

    def _mismatch(self) -> NDArray[np.float64]:
        """Replicates (R,); zeros where the buckets' responses cannot be told from their gains."""
        assert self.ramp is not None
        if self.gain is None:
            self.found.missing["mismatch"] = "without the gain of both buckets it cannot be told from their gains"
            return np.zeros(len(self.ramp.slope))
        ratio = tap_contrast.response_ratio(self.ramp.slope, self.gain)
        mismatch = np.where(ratio[0] <= 1, 1 - ratio, 1 / ratio - 1)
        beyond = self.gain_off.sum() + 2 * self.ramp.bent
        self.found.sensor["mismatch"] = estimate(mismatch, "slopes of the duty ramp in electrons", least=-1, most=1, beyond=beyond)
        return mismatch

    def white(self, lit: Sequence[Stack]) -> None:
        reason = "needs the gain, sub_exposures, and the level of the duty ramp (of flats, for a single bucket), 1 = white"
        known = [each for each in lit if each.level and (each.moments.clipped(self.good) <= CLIPPED).all()]
        if self.gain is None or not known or not self.sub_exposures or (self.buckets > 1 and self.ramp is None):
            self.found.missing["white"] = reason
            return
        if self.ramp is None:
            flat = self._brightest(known, 0)
            signal = replicates(flat.moments.mean - self.dark_for(flat.seconds).mean, self.good)
            of_storage = 0.0 if self.storage is None else self.storage[:, 0]
            electrons, level, off = (signal / self.gain)[:, 0] / (1 + of_storage), flat.level, self._off_level(known, flat)
        else:
            contrast = 1 - tap_contrast.leakage(self.ramp.slope, self.ramp.offset).sum(-1)
            in_buckets = self.ramp.slope / self.gain
            electrons, level = in_buckets[:, in_buckets[0].argmax()] / contrast, known[0].level
            alike = len({(each.level, each.seconds) for each in lit}) == 1
            off = self.ramp.lamp + self.ramp.bent if alike else np.inf
        if off > _AS_STATED:
            self.found.missing["white"] = (
                "levels and light do not agree: the signals are not proportional to level and exposure, or those of a ramp differ"
            )
            return
        white = electrons / (float(level or 1) * self.sub_exposures)
        how = "electrons at the stated level, as they arrive in the stronger bucket"
        self.found.readout["white"] = estimate(white, how, least=0, beyond=white[0] * (off + self.gain_off.max()))

    def _off_level(self, flats: Sequence[Stack], chosen: Stack) -> float:
        """How far the light per stated level of any flat of the line is from that of the chosen one, relative, beyond noise."""
        limit = self._signal(chosen, 0)
        per_level = np.stack(
            [
                replicates(flat.moments.mean - self.dark_for(flat.seconds).mean, self.good)[:, 0]
                / (float(flat.level or 1) * (flat.seconds or 1) * (flat.duty or 1))
                for flat in flats
                if self._signal(flat, 0) <= limit
            ],
            axis=-1,
        )
        at = float(chosen.level or 1) * (chosen.seconds or 1) * (chosen.duty or 1)
        reference = replicates(chosen.moments.mean - self.dark_for(chosen.seconds).mean, self.good)[:, :1] / at
        off = per_level / reference - 1
        return float(np.maximum(np.abs(off[0]) - 2 * half_width(off), 0).max())

    def mixing(self, strobed: Sequence[NDArray]) -> None:
        if not len(strobed):
            return
        try:
            matrix = temporal_mixing.temporal_mixing(strobed, self.good[0])
        except Refusal as why:
            self.found.missing["lag"] = str(why)
            return
        self.found.sensor["lag"] = estimate(matrix, "strobed one-hot codes; row t: what each code bit steers of the light of t")

    def parasitic(self, lit: Sequence[Stack], flats: Sequence[Stack]) -> None:
        if not lit:
            return
        found: list[NDArray] = []
        try:
            for b in range(self.buckets):
                taken = [each for each in lit if self.buckets == 1 or each.duty == 1 - b]
                if not taken:
                    raise Refusal(f"no capture with bucket {b} open (duty {1 - b})")
                one, dark = taken[0], self.dark_for(taken[0].seconds)
                alike = [each for each in flats if self.buckets == 1 or each.duty == one.duty]
                alike = [each for each in alike if (each.moments.clipped(self.good) <= CLIPPED).all()]
                if not alike:
                    raise Refusal(f"needs a flat with bucket {b} open (duty {1 - b}) too, to tell it from the shading of the lamp")
                flat = max(alike, key=lambda each: self._signal(each, b)).moments
                flat = replace(flat, mean=np.where(self.good, flat.mean, flat.mean.mean((1, 2), keepdims=True)))
                every = parasitic_light.parasitic_sensitivity(
                    one.moments, dark, self.good, exposure=one.seconds, readout=one.readout, flat=flat
                )
                found.append(every[:, b])
        except Refusal as why:
            self.found.missing["parasitic"] = str(why)
            return
        self.storage = np.stack(found, -1)

    def _signal(self, flat: Stack, bucket: int) -> float:
        light = flat.moments.mean[bucket] - self.dark_for(flat.seconds).mean[bucket]
        return float(light[self.good[bucket]].mean())

    def _brightest(self, flats: Sequence[Stack], bucket: int) -> Stack:
        """The flat nearest to the brightest point on the line of a bucket, which is not saturated."""
        curve = self.found.curve
        assert curve is not None
        brightest = (curve.fitted[:, bucket] * curve.signal[0, :, bucket]).max()
        return min(flats, key=lambda flat: abs(self._signal(flat, bucket) - brightest))

    def _step(self, stacks: Sequence[StackMoments]) -> NDArray[np.float64]:
        """Between the values of the converter, DN (B,): the least that is seen, or 1 where none tells."""
        step = least_step(stacks, untold=0.0 if self.bits is None else 1.0)
        if self.bits is not None and (step > 1).any():
            self.found.missing["the step of 1 DN"] = (
                f"values are {step.max():.4g} DN apart, as of {self.bits - np.log2(step.max()):.3g} bits moved up or of digital gain; "
                "rounding is taken to be as coarse"
            )
        return step

    def _noise_of_the_darks(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Temporal variance without rounding, and spatial variance of the mean, of the shortest dark, DN^2 (B,)."""
        shortest = min((dark for dark in self.darks if dark.moments.frames > 1), key=lambda dark: dark.seconds).moments
        temporal = replicates(shortest.variance, self.good)[0] - self.rounding
        return temporal, non_uniformity.dsnu_squared(shortest, self.good)[0]

    def _dependent(self, flats: Sequence[Stack] = ()) -> str:
        stacks = [flat.moments for flat in flats]
        return plausibility.dependent_noise(self.stacks, self.good) or plausibility.dependent_noise(stacks, self.good)
