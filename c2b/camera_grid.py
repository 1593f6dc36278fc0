"""The cameras of a comparison: every code under every readout and light on every sensor, as far as they go together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product

from c2b import camera, codes, masks
from c2b.belief import SAME, believing
from c2b.camera import Camera
from c2b.code_or_video import certain_code
from c2b.video.recording import Recording
from sensors.refusal import Refusal

#: The code that is the mask of the scene file itself.
OWN = "own"

#: Sensors and codes that are compared unless others are named; and those of a benchmark, on a scene that has its mask.
SENSORS, CODES = ("conventional", "coded-pixel", "two-bucket"), ("impulse",)
BENCHMARK_SENSORS, BENCHMARK_CODES = ("coded-pixel",), (OWN,)

#: What is told of everything that does not go together: what, and why.
LeaveOut = Callable[[str, object], None]


@dataclass(frozen=True)
class CameraGrid:
    """Words of which all combinations are tried.

    Parameters
    ----------
    sensors, codes : tuple of str
        As for `c2b.camera.make`; ``own`` is the mask in the file of an SCI scene. By default `SENSORS` and `CODES`.
    readouts : tuple of str
        By default each sensor's own.
    lights : tuple of float
        Electrons at white per sub-exposure, for every readout that is not ideal; by default as the readout says.
    benchmark : bool
        As tables of the SCI benchmark have it: by default its own coded pixel and mask for a scene with a mask, and no mask that is
        smaller than the frames.
    per_exposure : bool
        Lights are those of a whole exposure, so that codes of different length take as much of it.
    beliefs, believed_codes : tuple of str
        What methods are told of sensor and code instead of what is true (`c2b.belief.believing`); all combinations. Every camera is
        there as it is, too.
    """

    sensors: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    readouts: tuple[str, ...] = ()
    lights: tuple[float, ...] = ()
    benchmark: bool = False
    per_exposure: bool = False
    beliefs: tuple[str, ...] = ()
    believed_codes: tuple[str, ...] = ()
    _found: dict[tuple[str, str], tuple[list[Camera], list[tuple[str, Refusal]]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def sensors_named(self) -> tuple[str, ...]:
        """Those that were named, or are taken because none was."""
        return self.sensors or SENSORS

    def cameras(self, video: Recording, leave_out: LeaveOut) -> list[Camera]:
        """The cameras for a recording: for its colour, and with its own mask where that is asked for.

        Raises
        ------
        Refusal
            If a word names nothing, a sensor can be made with no code, or light is asked for and every readout is ideal.
        """
        key = video.colour, scene_file(video)
        if key not in self._found:
            reasons: list[tuple[str, Refusal]] = []
            self._found[key] = self._combined(*key, reasons), reasons
        found, reasons = self._found[key]
        for what, why in reasons:
            leave_out(what, why)
        return self._covering(found, video, leave_out) if self.benchmark else found

    def _combined(self, colour: str, scene: str, reasons: list[tuple[str, Refusal]]) -> list[Camera]:
        own = self.benchmark and scene
        files = _files(self.codes or (BENCHMARK_CODES if own else CODES), scene, reasons)
        beliefs = _Beliefs(self._believed, scene, bool(self.lights), reasons)
        found: list[Camera] = []
        for sensor in self.sensors or (BENCHMARK_SENSORS if own else SENSORS):
            for readout in self.readouts or (None,):
                possible = False
                for name, file in files.items():
                    try:
                        made = camera.make(sensor, file, readout, colour)
                    except Refusal as reason:
                        reasons.append((f"{sensor}, {name}", reason))
                        continue
                    possible = True
                    for one in self._lit(Camera(sensor, name, made.readout, made.chip, made.provenance)):
                        found += [one, *beliefs.of(one, readout)]
                if not possible:
                    camera.make(sensor, "long:frames=1", readout, colour)  # if the sensor itself is wrong, it is a mistake
        if self.lights and found and all(one.chip.readout.ideal for one in found):
            raise Refusal("--light is electrons at white, which an ideal readout does not count; add --readout cep-2019")
        beliefs.refuse_mistakes()
        return found

    @property
    def _believed(self) -> list[tuple[str, str]]:
        """Words of sensor and code of every belief; a single one that says nothing is left in, for its refusal."""
        if not self.beliefs and not self.believed_codes:
            return []
        pairs = [*product(self.beliefs or (SAME,), self.believed_codes or (SAME,))]
        return [pair for pair in pairs if pair != (SAME, SAME) or len(pairs) == 1]

    def _lit(self, one: Camera) -> Iterable[Camera]:
        """The camera at each light level; an ideal one knows none."""
        if one.chip.readout.ideal or not self.lights:
            return [one]
        return [one.lit(light / one.chip.frames if self.per_exposure else light) for light in self.lights]

    def _covering(self, found: Iterable[Camera], video: Recording, leave_out: LeaveOut) -> list[Camera]:
        """Cameras but for those whose mask file is smaller than the frames, which no table of a benchmark has."""
        covering = []
        for one in found:
            if reason := masks.too_small(one.code, one.chip.code, (video.height, video.width)):
                leave_out(f"{video.path}, {one.name}", reason)
            else:
                covering.append(one)
        return covering


class _Beliefs:
    """All that cameras are believed to be, and which of it goes with none.

    Parameters
    ----------
    pairs : iterable of (str, str)
        Words of sensor and code.
    scene : str
        The file whose mask is ``own``.
    lit : bool
        As for `c2b.belief.believing`.
    reasons : list
        Gathers what does not go together.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]], scene: str, lit: bool, reasons: list[tuple[str, Refusal]]) -> None:
        pairs = [*pairs]
        named = [code for _, code in pairs if code.partition(":")[0] != SAME]
        self._files, self._lit, self._reasons = _files(named, scene, reasons), lit, reasons
        self._pairs = [(sensor, code) for sensor, code in pairs if code not in named or code in self._files]
        self._fit: set[tuple[str, str]] = set()
        self._refused: dict[tuple[str, str], Refusal] = {}

    def of(self, one: Camera, readout: str | None) -> Iterator[Camera]:
        """The camera under each belief that goes with it."""
        for sensor, code in self._pairs:
            try:
                yield believing(one, sensor, code, readout=readout, lit=self._lit, file=self._files.get(code, ""))
                self._fit.add((sensor, code))
            except Refusal as reason:
                self._refused[sensor, code] = reason
                self._reasons.append((f"{one.name}, believed {sensor}, {code}", reason))

    def refuse_mistakes(self) -> None:
        """A Refusal if a belief was tried and went with no camera."""
        for (sensor, code), reason in self._refused.items():
            if (sensor, code) not in self._fit:
                raise Refusal(f"{'--believe ' + sensor if code == SAME else '--believe-code ' + code}: {reason}")


def scene_file(video: Recording) -> str:
    """The file of a recording, if it holds a mask beside the frames; else nothing."""
    try:
        return str(video.path) if video.path.suffix.lower() == ".mat" and certain_code(str(video.path)) is not None else ""
    except Refusal:
        return ""


def _files(names: Iterable[str], scene: str, reasons: list[tuple[str, Refusal]]) -> dict[str, str]:
    """What to make each code of; a word that names no code at all is not left out but a mistake."""
    files = {name: scene if name == OWN else name for name in names}
    if not files.get(OWN, OWN):
        why = "it is the mask of an SCI scene (.mat with mask and orig), which this video is not"
        reasons.append((f"--code {OWN}", Refusal(why)))
        del files[OWN]
    for file in files.values():
        codes.make(file)
    return files
