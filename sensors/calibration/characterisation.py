"""All that a set of darks, flats and coded captures tells about a sensor, and for the rest the reason why it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensors.calibration import dark_frames, non_uniformity, parasitic_light, photon_transfer, tap_contrast, temporal_mixing
from sensors.calibration.estimate import Estimate, estimate, replicates
from sensors.calibration.stack_moments import StackMoments
from sensors.refusal import Refusal


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
        lost = {name: "the data do not determine it" for part in named.values() for name, each in part.items() if not each.finite}
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
        Of the converter; None: not rounded.
    sub_exposures : int, optional
        Of an exposure; to know the electrons that one of them gives.

    Raises
    ------
    Refusal
        If there is no dark, or the stacks differ in shape.
    """
    if not any(dark.moments.frames > 1 for dark in darks):
        raise Refusal("calibration begins with darks: a stack of at least two frames of kind dark is needed")
    shapes = {each.moments.mean.shape for each in (*darks, *flats, *ramp, *parasitic)}
    if len(shapes) > 1:
        raise Refusal(
            f"the stacks differ in (buckets, rows, columns): {', '.join(map(str, sorted(shapes)))}; they should be alike"
        )
    bench = _Bench(list(darks), bits, sub_exposures)
    bench.hot_pixels()
    bench.offsets()
    bench.photon_transfer([flat for flat in flats if flat.moments.frames > 1])
    bench.noise()
    bench.uniformity([flat for flat in flats if flat.moments.frames > 1])
    bench.parasitic(parasitic)
    bench.taps(ramp)
    bench.white(ramp or flats)
    bench.mixing(strobed)
    return bench.found


class _Bench:
    """The numbers on the way, as replicates; each step adds to ``found``."""

    def __init__(self, darks: list[Stack], bits: int | None, sub_exposures: int | None) -> None:
        self.darks, self.bits, self.sub_exposures = darks, bits, sub_exposures
        self.seconds, self.stacks = [dark.seconds for dark in darks], [dark.moments for dark in darks]
        self.buckets = len(self.stacks[0].mean)
        self.dark_slope: NDArray[np.float64] | None = None
        self.gain: NDArray[np.float64] | None = None
        self.ramp: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
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
        self.good = ~hot
        self.found.maps |= {"hot_pixels": hot, "dark_mean": longest.mean.astype(np.float32)}
        self.found.maps["dark_noise"] = np.sqrt(longest.variance).astype(np.float32)
        self.found.readout["hot_pixels"] = non_uniformity.hot_fraction(hot)

    def offsets(self) -> None:
        self.black, self.dark_slope = dark_frames.black_level_and_slope(self.seconds, self.stacks, self.good)
        how = "mean of the darks" + ("" if self.dark_slope is None else ", continued to no exposure")
        self.found.readout["black_level"] = estimate(self.black, how, least=0)
        if self.dark_slope is None:
            self.found.missing["dark_current"] = "all darks have one exposure time; the black level contains their dark current"

    def photon_transfer(self, flats: list[Stack]) -> None:
        found = self.found
        if not flats:
            found.missing |= dict.fromkeys(("gain", "full_well"), "needs flats of at least two frames at several levels")
            return
        room = None if self.bits is None else 2**self.bits - 1 - self.black[0]
        dark = self.dark_for(float(np.median([flat.seconds for flat in flats])))
        curve = photon_transfer.photon_transfer(dark, [flat.moments for flat in flats], self.good, room=room)
        found.curve = curve
        if any(curve.trouble):
            b = next(b for b, why in enumerate(curve.trouble) if why)
            found.missing |= dict.fromkeys(("gain", "full_well"), f"bucket {b}: {curve.trouble[b]}")
            return
        self.gain = curve.gain
        levels = "/".join(str(count) for count in curve.fitted.sum(0))
        found.readout["gain"] = estimate(self.gain, f"photon transfer, {levels} levels up to 70 % of saturation")
        full = photon_transfer.full_well(curve, replicates(dark.mean, self.good) - self.black)
        if np.isfinite(full[0]).all():
            found.readout["full_well"] = estimate(full, "mean of the flats whose shot noise has vanished")
            return
        reached = curve.signal[0].max(0) / self.gain[0]
        end = "the converter ends first" if curve.pinned.any() else "no flat is bright enough"
        found.missing["full_well"] = f"{end}; it is at least {', '.join(f'{each:.0f}' for each in reached)} electrons"

    def noise(self) -> None:
        rounding = 0.0 if self.bits is None else dark_frames.ROUNDING
        variance = dark_frames.dark_variance(self.seconds, self.stacks, self.good, gain=self.gain, black=self.black)
        rows = dark_frames.row_variance(self.stacks, self.good)
        how = "temporal variance within the rows of the darks, less rounding"
        if self.gain is None:
            for name, each in {"read_noise_DN": variance - rounding, "row_noise_DN": rows}.items():
                self.found.beside[name] = estimate(each, how if "read" in name else "temporal variance of row means", root=True)
            self.found.missing |= dict.fromkeys(("read_noise", "dark_current", "dsnu"), "in electrons it needs the gain")
            return
        if rounding and (variance[0] < dark_frames.ROUNDING_FLOOR).any():
            most = np.sqrt(np.max(variance[0] - rounding).clip(0) + rounding) / self.gain[0].min()
            self.found.missing["read_noise"] = f"rounding hides it: at most {most:.3g} electrons"
        else:
            self.found.readout["read_noise"] = estimate((variance - rounding) / self.gain**2, how, root=True)
        self.found.readout["row_noise"] = estimate(rows / self.gain**2, "temporal variance of row means in the darks", root=True)
        if self.dark_slope is not None:
            current = self.dark_slope / self.gain
            self.found.readout["dark_current"] = estimate(current, "slope of the dark mean over exposure time", least=0)

    def uniformity(self, flats: list[Stack]) -> None:
        shortest = min((dark for dark in self.darks if dark.moments.frames > 1), key=lambda dark: dark.seconds).moments
        dsnu = non_uniformity.dsnu_squared(shortest, self.good)
        how = "spatial variance of the mean dark"
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
        slope, offset = tap_contrast.duty_ramp(
            [float(each.duty or 0) for each in ramp], [each.moments for each in ramp], self.dark_for(first.seconds), self.good
        )
        if self.storage is not None:
            wait = first.readout / first.seconds if first.seconds else 0.0
            offset = parasitic_light.without_parasitic(slope, offset, self.storage, wait, first.moments.mean.shape[1])
        self.ramp = slope, offset
        leakage = tap_contrast.leakage(*self.ramp)
        self.found.sensor["leakage"] = estimate(leakage, "gain-free duty ramp; to the complement, to the coded bucket", least=0)
        self.found.beside["tap_contrast"] = estimate(1 - leakage.sum(-1), "1 - leakage both ways", most=1)
        return leakage

    def _mismatch(self) -> NDArray[np.float64]:
        """Replicates (R,); zeros where the buckets' responses cannot be told from their gains."""
        assert self.ramp is not None
        if self.gain is None:
            self.found.missing["mismatch"] = "without the gain of both buckets it cannot be told from their gains"
            return np.zeros(len(self.ramp[0]))
        ratio = tap_contrast.response_ratio(self.ramp[0], self.gain)
        mismatch = np.where(ratio[0] <= 1, 1 - ratio, 1 / ratio - 1)
        self.found.sensor["mismatch"] = estimate(mismatch, "slopes of the duty ramp in electrons", least=-1, most=1)
        return mismatch

    def white(self, lit: Sequence[Stack]) -> None:
        reason = "needs the gain, sub_exposures, and the level of the duty ramp (of flats, for a single bucket), 1 = white"
        known = [each for each in lit if each.level and (each.moments.pinned == 0).all()]
        if self.gain is None or not known or not self.sub_exposures or (self.buckets > 1 and self.ramp is None):
            self.found.missing["white"] = reason
            return
        if self.ramp is None:
            flat = self._brightest(known, 0)
            signal = replicates(flat.moments.mean - self.dark_for(flat.seconds).mean, self.good)
            of_storage = 0.0 if self.storage is None else self.storage[:, 0]
            electrons, level = (signal / self.gain)[:, 0] / (1 + of_storage), flat.level
        else:
            slope, offset = self.ramp
            contrast = 1 - tap_contrast.leakage(slope, offset).sum(-1)
            in_buckets = slope / self.gain
            electrons, level = in_buckets[:, in_buckets[0].argmax()] / contrast, known[0].level
        white = electrons / (float(level or 1) * self.sub_exposures)
        self.found.readout["white"] = estimate(
            white, "electrons at the stated level, as they arrive in the stronger bucket", least=0
        )

    def mixing(self, strobed: Sequence[NDArray]) -> None:
        if not len(strobed):
            return
        try:
            matrix = temporal_mixing.temporal_mixing(strobed, self.good[0])
        except Refusal as why:
            self.found.missing["lag"] = str(why)
            return
        self.found.sensor["lag"] = estimate(matrix, "strobed one-hot codes; row t: what each code bit steers of the light of t")

    def parasitic(self, lit: Sequence[Stack]) -> None:
        if not lit:
            return
        found: list[NDArray] = []
        try:
            for b in range(self.buckets):
                taken = [each for each in lit if self.buckets == 1 or each.duty == 1 - b]
                if not taken:
                    raise Refusal(f"no capture with bucket {b} open (duty {1 - b})")
                one, dark = taken[0], self.dark_for(taken[0].seconds)
                every = parasitic_light.parasitic_sensitivity(
                    one.moments, dark, self.good, exposure=one.seconds, readout=one.readout
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
