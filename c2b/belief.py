"""What a camera is believed to be by whoever reconstructs its captures: another sensor, other settings, a code that lies elsewhere.

::

    believing(taking, "same:leakage=0")                    the camera itself, but for settings of its sensor or its readout
    believing(taking, "cep-2019:white=100")                another sensor, preset or sensor file
    believing(taking, code="same:rows=1,columns=0.5")      its code, but lying elsewhere (`displaced`)
    believing(taking, code="bernoulli:seed=1")             another code

What is named without a readout of its own has that of the camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from c2b import camera, codes
from c2b.camera import READOUT_SETTINGS, Camera
from sensors import spec
from sensors.orientations import TURNED
from sensors.photometry import Photometry
from sensors.refusal import Refusal
from sensors.sensor import Sensor

#: The name of the camera's own sensor, and of its own code.
SAME = "same"

#: Settings that say how much light a sensor sees.
LIGHT = frozenset(field.name for field in fields(Photometry)) | {"white"}


def believing(
    taking: Camera, sensor: str = SAME, code: str = SAME, *, readout: str | None = None, lit: bool = False, file: str = ""
) -> Camera:
    """A camera, and what it is believed to be.

    Parameters
    ----------
    taking : Camera
    sensor : str
        As for `c2b.camera.make`, or ``same`` with settings.
    code : str
        A name or a file, or ``same`` with the settings of `displaced`.
    readout : str, optional
        The readout that the camera was named with, if any.
    lit : bool
        Whether the light of the camera goes before that of the words, as far as these do not state it.
    file : str
        Where the code is read, if it is not as it is called.

    Raises
    ------
    Refusal
        If a word is unknown, nothing is said, or captures of the camera do not fit what it is believed to be: another number of frames
        or buckets, another colour, electrons for ideal charge.

    Examples
    --------
    >>> taking = camera.make("two-bucket:leakage=0.02", "impulse:tile=2")
    >>> believing(taking, "same:leakage=0", "same:rows=1").seen_as.code[:, :, 0].argmax(1).tolist()
    [1, 0, 0, 0]
    """
    if {sensor, code} == {SAME}:
        raise Refusal("a belief that sensor and code are the same is none; say what differs, such as same:leakage=0")
    name, words = camera.parsed(sensor)
    values = _code(taking.chip.code, code, file)
    if name == SAME:
        chip = camera.chip_of(*_changed(taking.sensor, readout, words, values), colour=taking.chip.colour)
    else:
        chip = _with_readout(camera.chip_of(sensor, values, colour=taking.chip.colour), taking.chip)
    if lit and not words.keys() & LIGHT and not chip.readout.ideal:
        chip = replace(chip, readout=replace(chip.readout, white=taking.chip.readout.white))
    if reason := _unlike(taking.chip, chip):
        raise Refusal(reason)
    return replace(taking, belief=", ".join([sensor, *([] if code == SAME else [code])]), believed=chip)


def displaced(
    code: NDArray, rows: float = 0.0, columns: float = 0.0, turned: str = "", reversed: bool = False, exchanged: bool = False
) -> NDArray:
    """A code that lies elsewhere.

    Parameters
    ----------
    code : ndarray, (T, p, q) or (M, T, p, q)
    rows, columns : float
        Pixels by which it lies further down and to the right, wrapped around; of parts of a pixel the code becomes grey.
    turned : str
        One of `sensors.orientations.TURNED`, with hyphens for spaces.
    reversed : bool
        The frames run backwards.
    exchanged : bool
        Each bucket collects while the other should.

    Returns
    -------
    ndarray
        Turned first, then moved.

    Raises
    ------
    Refusal
        If the turn is unknown, or a displacement is not finite.
    """
    turns = {words.replace(" ", "-"): turn for words, turn in TURNED.items()}
    if turned and turned not in turns:
        raise Refusal(spec.unknown("turn", turned, turns))
    if not np.isfinite([rows, columns]).all():
        raise Refusal(f"rows={rows:g}, columns={columns:g} is no displacement")
    found = turns[turned](code) if turned else code
    found = found[..., ::-1, :, :] if reversed else found
    found = 1 - found if exchanged else found
    for axis, by in ((-2, rows), (-1, columns)):
        whole, part = divmod(by, 1)
        near = np.roll(found, int(whole % found.shape[axis]), axis)
        found = near if not part else (1 - part) * near + part * np.roll(near, 1, axis)
    return np.ascontiguousarray(found)


def _code(own: NDArray, text: str, file: str) -> NDArray:
    if codes.is_file(file or text):
        return codes.make(file or text)
    name, words = spec.parse(text)
    if name != SAME:
        return codes.make(text)
    return displaced(own, **spec.convert(displaced, words, label="code same", taken=1))


def _changed(sensor: str, readout: str | None, words: dict[str, str], code: NDArray) -> tuple[str, NDArray, str | None]:
    """The words of the camera with settings changed: those of its readout, where one was named, else of its sensor."""
    name, own = camera.parsed(sensor)
    if readout is None:
        return spec.write(name, {**own, **words}), code, None
    reading, theirs = spec.parse(readout)
    of_readout = {key: value for key, value in words.items() if key in READOUT_SETTINGS}
    of_sensor = {key: value for key, value in words.items() if key not in READOUT_SETTINGS}
    return spec.write(name, {**own, **of_sensor}), code, spec.write(reading, {**theirs, **of_readout})


def _with_readout(chip: Sensor, taking: Sensor) -> Sensor:
    """The sensor with the readout of the camera, and the length of its sub-exposures, where it has none of its own."""
    readout = taking.readout if chip.readout.ideal else chip.readout
    known = chip.timing.sub_exposure or taking.timing.sub_exposure
    return replace(chip, readout=readout, timing=replace(chip.timing, sub_exposure=known))


def _unlike(taking: Sensor, believed: Sensor) -> str:
    """Why captures of one sensor cannot be taken for those of another; empty if they can."""
    facts: Sequence[tuple[str, int | str, int | str]] = [
        ("frames of an exposure", believed.frames, taking.frames),
        ("buckets", believed.buckets, taking.buckets),
        ("colour", believed.colour, taking.colour),
    ]
    differ = [f"{name}: {theirs} believed, {ours} taken" for name, theirs, ours in facts if theirs != ours]
    if taking.readout.ideal and not believed.readout.ideal:
        differ.append("it reads out electrons, and the camera gives ideal charge; add --readout cep-2019")
    return f"a capture cannot be taken for one of this belief ({'; '.join(differ)})" if differ else ""
