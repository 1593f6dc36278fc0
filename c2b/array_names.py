"""What an array in a file is, by the names that laboratories give it: measurement, mask or true frames.

===========  ============================================================================
role         names, whatever their case
===========  ============================================================================
measurement  ``meas``, ``meas_bayer``, ``meas*``; else one of `MEASUREMENTS`
mask         ``mask``, ``mask_bayer``, ``*mask*``; else one of `MASKS`
true frames  ``orig``, ``orig_bayer``; else one of `FRAMES`
===========  ============================================================================

The names of the SCI benchmark go before the others, which count only where there is none of them.
"""

from __future__ import annotations

from collections.abc import Iterable

MEASUREMENTS = ("y", "measurement", "measurements", "snapshot", "snapshots", "coded", "coded_image", "coded_images")
MASKS = ("code", "codes", "phi", "shutter", "pattern", "patterns")
FRAMES = ("original", "truth", "ground_truth", "gt")


def measurements(names: Iterable[str]) -> list[str]:
    """Names of measurements: those that begin with ``meas``, or the others of the field."""
    names = list(names)
    return [name for name in names if name.lower().startswith("meas")] or _among(names, MEASUREMENTS)


def masks(names: Iterable[str]) -> list[str]:
    """Names of masks, those of the benchmark first."""
    names = list(names)
    found = [name for name in names if "mask" in name.lower()] or _among(names, MASKS)
    return sorted(found, key=lambda name: name not in ("mask", "mask_bayer"))


def codes(names: Iterable[str]) -> list[str]:
    """Names of masks; else the only array there is, unless its name says that it is something else."""
    names = list(names)
    return masks(names) or (names if len(names) == 1 and not measurements(names) and not frames(names) else [])


def frames(names: Iterable[str], *, bayer: bool = False) -> str | None:
    """The name of the true frames; of several the mosaic where the measurement is one."""
    names = list(names)
    known = ("orig_bayer", "orig") if bayer else ("orig", "orig_bayer")
    return next((name for name in (*known, *_among(names, FRAMES)) if name in names), None)


def are_a_capture(names: Iterable[str]) -> bool:
    """Whether arrays of these names hold a measurement: a name with ``meas``, or another one beside a mask."""
    names = list(names)
    found = measurements(names)
    return any(name.lower().startswith("meas") for name in found) or bool(found and masks(names))


def listed(shapes: dict[str, tuple[int, ...]]) -> str:
    """``meas 12x20x3, mask 12x20x5``."""
    return ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items()) or "no array"


def _among(names: list[str], known: tuple[str, ...]) -> list[str]:
    return [name for name in names if name.lower() in known]
