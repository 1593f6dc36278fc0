"""The cameras of a comparison: every code under every readout and light on every sensor, as far as they go together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from c2b import camera, codes, masks
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
    """

    sensors: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    readouts: tuple[str, ...] = ()
    lights: tuple[float, ...] = ()
    benchmark: bool = False
    per_exposure: bool = False
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
                    found += self._lit(Camera(sensor, name, made.readout, made.chip, made.provenance))
                if not possible:
                    camera.make(sensor, "long:frames=1", readout, colour)  # if the sensor itself is wrong, it is a mistake
        if self.lights and found and all(one.chip.readout.ideal for one in found):
            raise Refusal("--light is electrons at white, which an ideal readout does not count; add --readout cep-2019")
        return found

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
