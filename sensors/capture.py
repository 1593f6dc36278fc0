"""A capture: what a sensor read out, and the sensor that took it, so that a method can build everything from the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensors import colour_filter
from sensors.hot_pixels import replaced
from sensors.plain_numbers import refuse_masked
from sensors.refusal import Refusal
from sensors.sensor import Sensor


@dataclass(frozen=True, eq=False)
class Capture:
    """N exposures of one sensor.

    Parameters
    ----------
    images : ndarray, (N, B, H, W) or (N, B, H, W, 3)
        As read out: DN; for the ideal readout the charge as float32, in the unit of the video. A memory map will do.
    sensor : Sensor
        That took them.
    record : mapping
        JSON: ``white`` (the video's value of irradiance 1), ``frame_index`` (N, T), ``crop``, source, response, seed, provenance;
        ``lane``, which colour plane it is, where it is one.

    Raises
    ------
    Refusal
        If the images do not fit the sensor.
    """

    images: NDArray
    sensor: Sensor
    record: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse_masked(self.images, "capture")
        needed = 5 if self.sensor.colour == "rgb" else 4
        if (
            self.images.ndim != needed
            or self.images.shape[1] != self.sensor.buckets
            or (needed == 5 and self.images.shape[4] != 3)
        ):
            form = f"(N, {self.sensor.buckets}, H, W{', 3' if needed == 5 else ''})"
            raise Refusal(f"images of shape {self.images.shape} do not fit this {self.sensor.colour} sensor; needed: {form}")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, exposures: slice) -> Capture:
        """A run of exposures as a capture of its own; nothing is read."""
        if not isinstance(exposures, slice) or exposures.step not in (None, 1):
            raise Refusal("exposures of a capture are taken in a row: capture[first:last]")
        start, _, _ = exposures.indices(len(self))
        record = dict(self.record)
        if "frame_index" in record:
            record["frame_index"] = record["frame_index"][exposures]
        if "first_exposure" in record:
            record["first_exposure"] += start
        return Capture(self.images[exposures], self.sensor.from_exposure(start), record)

    def __iter__(self) -> Iterator[Capture]:
        """One exposure at a time."""
        return (self[n : n + 1] for n in range(len(self)))

    @property
    def white(self) -> float:
        """What one white sub-exposure adds to an ideal image."""
        return float(self.record.get("white", 1.0)) if self.sensor.readout.ideal else 1.0

    @cached_property
    def charge(self) -> NDArray[np.float32]:
        """M S x as measured, (N, B, H, W[, 3]), in white sub-exposures; hot samples as their neighbours say (`sensors.hot_pixels`).

        Computed once, like `variance`; copy it before you change it.
        """
        colours = 2 if self.sensor.colour in colour_filter.PATTERNS else 1
        alike = lcm(self.sensor.tile[0], colours), lcm(self.sensor.tile[1], colours)

        def measure(images: NDArray, hot: NDArray[np.bool_] | None) -> NDArray[np.float32]:
            charge = self.sensor.readout.charge(images, duration=self.sensor.duration)
            return charge if hot is None else replaced(charge, hot, alike)

        return self._per_plane(measure) / np.float32(self.white)

    @cached_property
    def variance(self) -> NDArray[np.float32]:
        """Variance of `charge`, same shape and unit squared; zero for ideal readout, infinite where a sample is saturated or hot."""

        def measure(images: NDArray, hot: NDArray[np.bool_] | None) -> NDArray[np.float32]:
            variance = self._without_hot(images)
            if hot is not None:
                variance[:, hot] = np.inf
            return variance

        return self._per_plane(measure)

    @property
    def saturated(self) -> list[float]:
        """The part of the samples of each bucket that is saturated and carries no weight, (B,)."""
        lost = np.isinf(self._per_plane(lambda images, _: self._without_hot(images)))
        return [float(lost[:, b].mean()) for b in range(lost.shape[1])]

    def planes(self) -> list[Capture]:
        """The colour planes, or the four phases of a mosaic, as mono captures; a mono capture is its own only plane.

        The sensor of a phase has every second pixel of the code: where the side of a tile is odd, the whole tile permuted.
        """
        if self.sensor.colour == "mono":
            return [self]
        if self.sensor.colour in colour_filter.PATTERNS:
            images = colour_filter.planes(self.images)
            return [Capture(image, sensor, self.record) for image, sensor in zip(images, self.sensor.phases, strict=True)]
        mono = replace(self.sensor, colour="mono")
        return [Capture(self.images[..., c], mono, {**self.record, "lane": c}) for c in range(3)]

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def _without_hot(self, images: NDArray) -> NDArray[np.float32]:
        return self.sensor.readout.variance(images, duration=self.sensor.duration)

    def _per_plane(self, measure: Callable[[NDArray, NDArray[np.bool_] | None], NDArray[np.float32]]) -> NDArray[np.float32]:
        """``measure`` takes images (N, B, H, W) of one colour plane and their hot samples."""
        images = np.asarray(self.images)
        if self.sensor.colour != "rgb":
            return measure(images, self._hot[0])
        return np.stack([measure(images[..., c], self._hot[c]) for c in range(3)], axis=-1)

    @cached_property
    def _hot(self) -> list[NDArray[np.bool_] | None]:
        """The hot samples (B, H, W) of each colour plane."""
        lanes = range(3) if self.sensor.colour == "rgb" else [self.record.get("lane", 0)]
        return [self.sensor.hot_samples(self.images.shape[2:4], lane) for lane in lanes]
