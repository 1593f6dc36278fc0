"""Light to charge to digital numbers: what a coded-exposure sensor records.

The files in the order the light travels::

    sensor.py               Sensor: the code, what the buckets make of it, and the one forward model
    conventional.py coded_pixel.py two_bucket.py flutter_shutter.py rolling_shutter.py      the sensors: which bucket collects when
    colour_filter.py        one colour per pixel, and the phases of the mosaic
    optics.py               lens and pixel: point spread, vignetting, cross-talk, film finer than the pixel
    neighbour_spread.py     the loops of what spreads over neighbouring pixels (numba)
    temporal_response.py    lag between sub-exposures, and rows that are late
    code_response.py        the affine map from a code to the shares of a sensor
    exposure.py             one exposure: light to charge, its adjoint, its inverses
    exposure_torch.py       the same verbs for tensors, differentiable in video and code
    bucket_share.py         the loops of both directions (numba)
    timeline.py             exposures in a row: which frames each one sees
    noise_field.py fixed_pattern.py readout.py                           charge to electrons to DN
    hot_pixels.py           samples that tell of their pixel and not of the scene
    capture.py              Capture: what was read out, and the sensor that took it
    companding.py           the stored code, where it has fewer bits than the converter
    photometry.py           lux, lens and pixel to electrons at white
    orientations.py         the ways in which a code may lie
    code_link.py            which codes reach the chip, and how fast
    identity.py             what makes a sensor, written down; its digest
    preset.py presets/      sensors with names, from data files
    response.py             light to stored values, and back
    timing.py               when the sub-exposures happen
    absent_sensor.py        the place of one whose plug-in is not here
    sensor_check.py         whether a sensor, perhaps your own, keeps the contract
    calibration/            darks, flats and strobes to the numbers of a sensor, each with its interval
    kernel.py               how numba kernels are compiled and threaded
    plain_numbers.py        masked arrays and half seeds are refused
    memory_budget.py        how much memory one piece of work may take
    name_table.py plug_in.py            tables of names, and what other packages and files of one's own add to them
    spec.py refusal.py      the grammar of names, and the one error of the user
    atomic_file.py          write beside, then rename

Arrays are time first: video (T, H, W) in irradiance, 1 = white; charge (B, H, W) in white sub-exposures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensors.name_table import NameTable

if TYPE_CHECKING:
    from sensors.sensor import Sensor
    from sensors.sensor_check import Finding

SENSORS = {
    "two-bucket": "sensors.two_bucket:TwoBucket",
    "coded-pixel": "sensors.coded_pixel:CodedPixel",
    "flutter-shutter": "sensors.flutter_shutter:FlutterShutter",
    "conventional": "sensors.conventional:Conventional",
    "rolling-shutter": "sensors.rolling_shutter:RollingShutter",
}

READOUTS = {
    "ideal": "sensors.readout:ideal",
    "electrons": "sensors.readout:Readout",
}

PRESETS = {
    "pdc-2017": "sensors/presets/pdc-2017.toml",
    "c2b-2018": "sensors/presets/c2b-2018.toml",
    "cep-2019": "sensors/presets/cep-2019.toml",
    "cep-2023": "sensors/presets/cep-2023.toml",
    "cep-vga-2026": "sensors/presets/cep-vga-2026.toml",
    "machine-vision": "sensors/presets/machine-vision.toml",
    "sci-bench": "sensors/presets/sci-bench.toml",
    "sony-a7s2": "sensors/presets/sony-a7s2.toml",
    "canon-5d4": "sensors/presets/canon-5d4.toml",
    "nikon-d850": "sensors/presets/nikon-d850.toml",
}

RESPONSES = {
    "none": "sensors.response:Linear",
    "srgb": "sensors.response:StandardRGB",
    "gamma": "sensors.response:Gamma",
    "phantom-10bit": "sensors.response:PhantomTenBit",
}

SENSORS = NameTable("sensors", SENSORS)
READOUTS = NameTable("readouts", READOUTS)
RESPONSES = NameTable("responses", RESPONSES)


def make(spec: str, code: Any, **settings: Any) -> Sensor:
    """A sensor from its name: ``sensors.make("two-bucket:leakage=0.02", code)`` or a preset, ``"cep-2019:white=100"``.

    Settings are those of the sensor, its readout and its timing: ``"coded-pixel:white=200,read_noise=5,dead_frames=2"``.

    Parameters
    ----------
    spec : str
        A name of `SENSORS` or `PRESETS`, with settings (see `sensors.spec`).
    code : array_like, (T, p, q) or (M, T, p, q)
        The code; ``c2b.codes.make`` has the named ones.
    **settings
        Further parameters of the sensor, such as ``readout``.

    Raises
    ------
    Refusal
        If the name or a setting is unknown, or the sensor cannot do this code.

    Examples
    --------
    >>> import numpy as np
    >>> sensor = make("two-bucket:leakage=0.02", np.eye(4, dtype=np.uint8).reshape(4, 2, 2))
    >>> sensor.frames, sensor.tile, sensor.buckets
    (4, (2, 2), 2)
    >>> sensor.expose(np.ones((4, 6, 8))).sum(0).mean().round(6).item()  # no light is lost
    4.0
    """
    from sensors import preset
    from sensors import spec as grammar
    from sensors.refusal import Refusal

    name, words = grammar.parse(spec)
    if name not in SENSORS and name not in PRESETS:
        raise Refusal(grammar.unknown("sensor", name, [*SENSORS, *PRESETS]))
    return preset.make(name, words, code, **settings)


def check(sensor: Sensor, *, seed: int = 0) -> list[Finding]:
    """Whether a sensor, such as one of your own, keeps the contract: ``sensors.check(MySensor(code))``.

    Adjoint, formula, inverse, affinity in the code, no light that is made, and the round trip through its description.

    Raises
    ------
    Refusal
        If it does not; the line says in what, and by how much.
    """
    from sensors import sensor_check

    return sensor_check.check(sensor, seed=seed)


def from_description(
    document: dict[str, Any], arrays: dict[str, Any], kind: type[Sensor] | None = None, *, buckets: int = 0
) -> Sensor:
    """The sensor that `Sensor.description` described: the inverse, bit for bit.

    Parameters
    ----------
    document, arrays
        As described.
    kind : type, optional
        Class of the sensor, if it is one of your own that stands in no table.
    buckets : int
        How many images its exposures have, if it may be of a plug-in that is not here: then an `AbsentSensor` stands for it.

    Raises
    ------
    Refusal
        If the document names a sensor or a setting that this version does not know.
    """
    from sensors.name_table import look
    from sensors.optics import Optics
    from sensors.plug_in import told
    from sensors.readout import Readout
    from sensors.refusal import Refusal
    from sensors.spec import find
    from sensors.timing import Timing

    target = document.get("sensor", "")
    if kind is None and target not in SENSORS.values():
        look(SENSORS)
    names = {target: name for name, target in SENSORS.items()}
    try:
        if kind is None and target not in names and buckets and told(target):
            from sensors.absent_sensor import AbsentSensor

            kind, document = AbsentSensor, {**document, "settings": {"document": document, "arrays": arrays, "images": buckets}}
            arrays = {"code": arrays["code"]}
    except (KeyError, AttributeError):
        raise Refusal(f"the description of the sensor is damaged: {target!r} without its code") from None
    if kind is None and target not in names:
        raise Refusal(f"unknown sensor {target!r} in the description; known: {', '.join(names)}")
    try:
        return (kind or find(SENSORS, "sensor", names[target]))(
            **{key: _tuples(value) for key, value in document["settings"].items()},
            **arrays,
            readout=Readout(**{key: _tuples(value) for key, value in document["readout"].items()}),
            timing=Timing(**document["timing"]),
            optics=Optics(**{key: _tuples(value) for key, value in document.get("optics", {}).items()}),
            colour=document["colour"],
            origin=tuple(document["origin"]),
        )
    except (KeyError, TypeError) as error:
        raise Refusal(f"the description of the sensor is damaged or of another version: {error}") from None


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
