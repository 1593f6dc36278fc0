"""Learned methods: a network, the weights it was given, and the capture's own sensor.

A network sees the charge, its noise, and a classical start. It serves frames of any size: they are padded, never resized, to whole
tiles in the phase of the code. Weights say for which code they were trained; other codes are refused.
"""

from __future__ import annotations

import importlib.util
import inspect
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recon import weight_file
from recon.reconstructor import Reconstructor, apply_to_exposures, needs_local
from recon.tile_solve import LARGEST_TILE
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from sensors.exposure_torch import Exposure

#: Stages of our network; for full-resolution masks their number, and what it starts from.
STAGES, MASK_STAGES, MASK_START = 3, 16, "gap"

#: Larger frames are run in bands of rows, which overlap by the reach of the network, if it says one.
MOST_PIXELS = 2_500_000


@dataclass(frozen=True)
class Trained:
    """A network with its weights, and what it was trained for."""

    network: Any  # nn.Module, with `settings`
    code: NDArray  # (T, p, q)
    buckets: int
    start: str  # the classical method it starts from, or none


class Learned(Reconstructor):
    """A network behind the verbs of every method; see the classes below for what each one is.

    Parameters
    ----------
    weights : str
        Name of shipped weights, or a file (.safetensors); the shipped ones of the method's own name by default. A training goes on
        from weights that are named.
    precision : str
        ``float32``, ``bfloat16``, or ``auto``: bfloat16 where the processor computes in it.
    steps : int
        Of the training: so many batches are learnt from.
    batch : int
        Clips in each.
    crop : int
        Their side in pixels, rounded up to what the network works in.
    rate : float
        Largest learning rate.
    variation : float
        Weight of the total variation of the result in the loss.
    error : str
        What is made small: ``absolute``, the mean absolute error, or ``rms``, the root of the mean square of each video; by default rms
        for full-resolution masks, else absolute.
    response : str
        ``srgb`` to learn on linear light, with errors measured as they are seen; ``none`` takes stored values for light.
    photographs : float
        Share of the clips that are photographs in motion.
    distinct : int
        Different batches to learn from, each kept in memory with its classical start; 0 draws new ones for ever.
    seed : int
        Of weights, clips and noise.
    """

    name: ClassVar[str]
    presets: ClassVar[dict[str, dict[str, Any]]] = {}
    trained_: Trained | None = None

    def __init__(
        self,
        weights: str = "",
        precision: str = "auto",
        steps: int = 20_000,
        batch: int = 8,
        crop: int = 96,
        rate: float = 1e-3,
        variation: float = 0.0,
        error: str = "",
        response: str = "none",
        photographs: float = 0.5,
        distinct: int = 0,
        seed: int = 0,
    ) -> None:
        if precision not in ("auto", "float32", "bfloat16"):
            raise Refusal(f"unknown precision {precision!r}; known: auto, float32, bfloat16")
        if error not in ("", "absolute", "rms"):
            raise Refusal(f"unknown error {error!r}; known: absolute, rms")
        if response not in ("none", "srgb"):
            raise Refusal(f"unknown response {response!r}; known: none, srgb")
        for key, value in (("steps", steps), ("batch", batch), ("crop", crop), ("rate", rate)):
            if not value > 0:
                raise Refusal(f"{key}={value} is not above 0")
        for key, value in (("variation", variation), ("distinct", distinct), ("seed", seed)):
            if not value >= 0:
                raise Refusal(f"{key}={value}; needed: 0 or more")
        if not 0 <= photographs <= 1:
            raise Refusal(f"photographs={photographs} is a share; needed: 0 to 1")
        self.weights = weights
        self.precision = precision
        self.steps = steps
        self.batch = batch
        self.crop = crop
        self.rate = rate
        self.variation = variation
        self.error = error
        self.response = response
        self.photographs = photographs
        self.distinct = distinct
        self.seed = seed

    def shipped(self, sensor: Sensor) -> str:
        """Name of the weights that come with c2b for these settings and captures of that sensor."""
        return self.name

    # What a network says of itself -------------------------------------------------------------------------------------------

    @abstractmethod
    def build(self, sensor: Sensor) -> Any:
        """The network for a sensor, untrained. Its ``settings`` (JSON) make it again, its ``multiple`` is the size it works in."""

    def begins_with(self, sensor: Sensor) -> str:
        """The classical method that the network starts from; none by default."""
        return ""

    @abstractmethod
    def rebuild(self, settings: Mapping[str, Any]) -> Any:
        """The network of those settings."""

    @abstractmethod
    def estimates(self, network: Any, start: Any, charge: Tensor, variance: Tensor | None, exposure: Exposure) -> list[Tensor]:
        """Estimates (N, T, H, W) of the stages of the network, the last one best."""

    # The contract ------------------------------------------------------------------------------------------------------------

    def refusal(self, sensor: Sensor) -> str:
        """The code must be the one that the weights were trained for."""
        if reason := needs_local(sensor, self.name):
            return reason
        if reason := self._needs_torch():
            return reason
        if self.trained_ is None and not self.weights and not weight_file.locate(self.shipped(sensor)).is_file():
            return f"no weights of {self.name} for such captures come with c2b; {self._train_others}"
        try:
            trained = self.trained(sensor)
        except Refusal as refused:
            return str(refused)
        return self.unfit(trained, sensor)

    def unfit(self, trained: Trained, sensor: Sensor) -> str:
        """Why the network does not know captures of that sensor; empty if it does."""
        if getattr(trained.network, "serves_any_code", False):
            return ""
        family = getattr(trained.network, "coded", False) and len(sensor.code) == len(trained.code)
        if sensor.buckets == trained.buckets and (
            _opens_like(sensor, trained.code) or (family and _opens_like(sensor, sensor.code))
        ):
            return ""
        return self._another(trained, sensor)

    def _another(self, trained: Trained, sensor: Sensor) -> str:
        theirs, ours = ("x".join(map(str, code.shape[-2:] + code.shape[-3:-2])) for code in (trained.code, sensor.code))
        here = f"this one is of {ours} with {sensor.buckets}"
        if (theirs, trained.buckets) == (ours, sensor.buckets):
            elsewhere = np.mean((sensor.exposure[0] > 0.5) != (trained.code > 0.5))
            here = f"this one differs from it in {elsewhere:.0%} of its values"
        return (
            f"these weights of {self.name} were trained for {trained.buckets} bucket(s) and a code of {theirs}; {here}; "
            f"{self._train_others}"
        )

    @property
    def _train_others(self) -> str:
        return f"train your own: c2b train {self.name} WEIGHTS.safetensors --videos DIR --code ..."

    def fit(
        self,
        clips: Iterable[NDArray],
        sensors: Sensor | Callable[[np.random.Generator], Sensor],
        *,
        held: Iterable[NDArray] = (),
        report: Callable[..., None] | None = None,
        checkpoint: Path | None = None,
    ) -> Self:
        """Learn from clips of stored values (F, H, W); those of one frame are photographs, which are set in motion.

        Parameters
        ----------
        held : iterable of ndarray
            Clips that are only looked at, to tell how well it goes.
        report : callable, (done, total, said, row)
        checkpoint : path
            The run is kept there, and goes on from there.
        """
        if reason := self._needs_torch():
            raise Refusal(reason)
        import torch

        from recon.training.batches import Batches
        from recon.training.learning import Recipe, learn
        from recon.training.losses import Loss
        from recon.training.turns import Turns

        torch.manual_seed(self.seed)
        batches = Batches(self, list(clips), sensors, list(held))
        network = self._begun(batches.network).to(batches.device, memory_format=torch.channels_last)
        recipe = Recipe(self.steps, self.rate, bfloat16=self.bfloat16)
        loss = Loss(self.variation, error=self.error or getattr(network, "error", Loss.error), response=self.response)
        network = learn(
            network,
            Turns(batches, network.settings["stages"]) if hasattr(network, "turn") else batches,
            loss,
            recipe,
            report=report,
            checkpoint=checkpoint,
            settings=self._settings(),
        )
        self.trained_ = Trained(network.eval(), batches.sensor.code, batches.sensor.buckets, batches.start)
        return self

    def save(self, path: str | Path, card: Mapping[str, Any] | None = None) -> None:
        """Write the weights, in half precision, with the code they were trained for."""
        if (trained := self.trained_) is None:
            raise Refusal(f"nothing to save: this {self.name} was neither trained nor given weights")
        tensors = {name: value.detach().cpu().numpy().astype(np.float16) for name, value in trained.network.state_dict().items()}
        document = {**(card or {}), "method": self.name, "network": trained.network.settings, "buckets": trained.buckets}
        document["start"] = trained.start
        weight_file.write(path, {**tensors, "code": trained.code}, document)

    def load(self, path: str | Path) -> Self:
        """Read weights."""
        self.trained_ = _read(self, Path(path))
        return self

    def solve(self, capture: Capture) -> NDArray[np.float32]:
        """The frames (T, H, W) of one exposure."""
        sensor, charge, trained = capture.sensor, capture.charge[0], self.trained(capture.sensor)
        network = trained.network
        fields = started(capture, trained.start), charge, None if sensor.readout.ideal else capture.variance[0]
        shape, exposure = charge.shape[1:], exposure_of(sensor)
        multiple = getattr(network, "multiple", None)
        if multiple is None:  # pads by itself
            return self._run(network, fields, exposure)
        period = sensor.tile if max(sensor.tile) <= LARGEST_TILE else (1, 1)
        (rows, top), (columns, left) = map(_whole_tiles, shape, sensor.origin, period, multiple)
        video = np.empty((sensor.frames, len(rows), len(columns)), np.float32)
        reach, band = getattr(network, "reach", 0), len(rows)
        if reach:
            band = max(1, MOST_PIXELS // (len(columns) * multiple[0])) * multiple[0]
        halo = -(-reach // multiple[0]) * multiple[0] if band < len(rows) else 0
        for first in range(0, len(rows), band):
            low = max(first - halo, 0)
            seen = rows[low : first + band + halo]
            cut = [None if field is None else field[:, seen[:, None], columns] for field in fields]
            part = self._run(network, cut, exposure.gathered(shape, seen, columns))
            video[:, first : first + band] = part[:, first - low : first - low + band]
        return np.ascontiguousarray(video[:, top : top + shape[0], left : left + shape[1]])

    # ------------------------------------------------------------------------------------------------------------------------

    def _run(self, network: Any, fields: Sequence[NDArray | None], exposure: Exposure) -> NDArray[np.float32]:
        import torch

        where = device()
        given = [None if one is None else torch.from_numpy(one)[None].to(where) for one in fields]
        with torch.inference_mode(), torch.autocast(where.type, torch.bfloat16, enabled=self.bfloat16):
            video = self.estimates(network, given[0], given[1], given[2], exposure.to(where))[-1]  # type: ignore[arg-type]
        return video[0].float().cpu().numpy()

    @property
    def bfloat16(self) -> bool:
        """Whether convolutions are computed in bfloat16."""
        if self.precision != "auto":
            return self.precision == "bfloat16"
        import torch

        return torch.cuda.is_available() or torch.ops.mkldnn._is_mkldnn_bf16_supported()

    def _settings(self) -> dict[str, Any]:
        """What the result of a training depends on."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def _begun(self, network: Any) -> Any:
        """The network to train, with the weights that were named, if any."""
        if self.weights:
            known = _read(self, weight_file.locate(self.weights)).network
            theirs, ours = ({name: one.shape for name, one in net.state_dict().items()} for net in (known, network))
            if theirs != ours:
                raise Refusal(f"cannot go on from {self.weights}: it holds a network of {known.settings}, not {network.settings}")
            network.load_state_dict(known.state_dict())
        return network

    def trained(self, sensor: Sensor) -> Trained:
        """What was learnt or loaded, else the weights that are named, else those shipped for such a sensor.

        Raises
        ------
        Refusal
            If the weights cannot be read, or hold another network than the one that is asked for.
        """
        if self.trained_ is None and self.weights:
            self.load(weight_file.locate(self.weights))
        trained = self.trained_ or _shipped(type(self), self.shipped(sensor))
        parameters = inspect.signature(type(self)).parameters
        for name, theirs in {**trained.network.settings, "start": trained.start}.items():
            asked = getattr(self, name, theirs)
            if name in parameters and asked not in (theirs, parameters[name].default):
                raise Refusal(f"{name}={asked}, but these weights of {self.name} are of {name}={theirs}; {self._train_others}")
        return trained

    def _needs_torch(self) -> str:
        return "" if importlib.util.find_spec("torch") else f"{self.name} needs torch; install it with: pip install torch"


@lru_cache(maxsize=8)
def _shipped(kind: type[Learned], name: str) -> Trained:
    return _read(kind(), weight_file.locate(name))


def _read(method: Learned, path: Path) -> Trained:
    import torch

    tensors, document = weight_file.read(path, method.name)
    try:
        code = tensors.pop("code")
        network = method.rebuild(document["network"])
        network.load_state_dict({name: torch.from_numpy(value.astype(np.float32)) for name, value in tensors.items()})
        buckets, start = int(document["buckets"]), str(document["start"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise Refusal(f"{path.name} does not hold a network of {method.name}: {str(error).splitlines()[0]}") from error
    return Trained(network.to(device(), memory_format=torch.channels_last).eval(), code, buckets, start)


def device() -> torch.device:
    """Where networks are run: on a graphics card if there is one."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def started(capture: Capture, method: str) -> NDArray[np.float32] | None:
    """What a network starts from: the video (T, H, W) of that classical method, if any."""
    import recon

    return recon.make(method).solve(capture) if method else None


@lru_cache(maxsize=32)
def exposure_of(sensor: Sensor) -> Exposure:
    """The torch twin of a sensor, kept."""
    from sensors.exposure_torch import Exposure

    return Exposure.of(sensor)


def _opens_like(sensor: Sensor, code: NDArray) -> bool:
    """Whether bucket 0 collects, but for leakage, while that code is 1."""
    return np.array_equal(sensor.exposure[0] > 0.5, code > 0.5)


def _whole_tiles(size: int, first: int, tile: int, multiple: int) -> tuple[NDArray[np.int64], int]:
    """Which pixels of an axis to take, some twice, so that it begins with a tile and is a multiple long; and how many come before."""
    before = first % tile
    place = np.arange(-(-(before + size) // multiple) * multiple) - before
    place = np.where(place < 0, place + -(place // tile) * tile, place)
    return np.where(place >= size, place - -(-(place - size + 1) // tile) * tile, place).clip(0, size - 1), before


class Unfolding(Learned):
    """Ours: a residual on a classical start, refined in unrolled stages that obey the measurement.

    Parameters
    ----------
    width, stages : int
        Of the network.
    noisy : bool
        Train for captures with noise: its level is an input, and the data steps weigh it.
    coded : bool
        Train for a family of codes: the code is an input. The network for full-resolution masks serves any, and has no such input.
    start : str
        The classical method to start from; by default tile, or for full-resolution masks gap.
    """

    name: ClassVar[str] = "unfolding"
    presets: ClassVar[dict[str, dict[str, Any]]] = {"quick": {"width": 16, "steps": 4_000}}

    def __init__(
        self,
        weights: str = "",
        precision: str = "auto",
        width: int = 32,
        stages: int | None = None,
        noisy: bool = False,
        coded: bool = False,
        start: str = "",
        steps: int = 20_000,
        batch: int = 8,
        crop: int = 96,
        rate: float = 1e-3,
        variation: float = 0.0,
        error: str = "",
        response: str = "none",
        photographs: float = 0.5,
        distinct: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(weights, precision, steps, batch, crop, rate, variation, error, response, photographs, distinct, seed)
        if width < 1 or (stages is not None and stages < 1):
            raise Refusal(f"width={width} and stages={stages}; needed: 1 or more of each")
        self.width = width
        self.stages = stages
        self.noisy = noisy
        self.coded = coded
        self.start = start

    def shipped(self, sensor: Sensor) -> str:
        """Noise and full-resolution masks have weights of their own."""
        if max(sensor.tile) > LARGEST_TILE:
            return "unfolding-mask"
        return "unfolding" if sensor.readout.ideal else "unfolding-noisy"

    def build(self, sensor: Sensor) -> Any:
        """For the tile of the sensor's code; one that knows no code for full-resolution masks."""
        if self.learns_any_length(sensor):
            return self.rebuild({"width": self.width, "stages": self.stages or MASK_STAGES})
        return self.rebuild(
            {
                "frames": sensor.frames,
                "tile": sensor.tile,
                "buckets": sensor.buckets,
                "width": self.width,
                "stages": self.stages or STAGES,
                "noisy": self.noisy,
                "coded": self.coded,
            }
        )

    def learns_any_length(self, sensor: Sensor) -> bool:
        """For full-resolution masks."""
        return max(sensor.tile) > LARGEST_TILE

    def begins_with(self, sensor: Sensor) -> str:
        """The method asked for; else the registered tile video, or for a full-resolution mask the motion-compensated one."""
        return self.start or ("tile" if max(sensor.tile) <= LARGEST_TILE else MASK_START)

    def rebuild(self, settings: Mapping[str, Any]) -> Any:
        """From the settings in a weight file."""
        from recon.networks.mask_unfolding import MaskUnfolding
        from recon.networks.tile_unfolding import TileUnfolding

        return TileUnfolding(**settings) if "tile" in settings else MaskUnfolding(**settings)

    def estimates(self, network: Any, start: Any, charge: Tensor, variance: Tensor | None, exposure: Exposure) -> list[Tensor]:
        """Of all stages."""
        return network(start, charge, exposure, variance)


class CodedBlurredPair(Learned):
    """The published network for a coded and a blurred image (`recon.networks.coded_blurred_pair`), or its residual twin.

    Parameters
    ----------
    width : float
        Factor on the channel numbers; 1 is the published network.
    residual : bool
        The twin: adds to the registered tile video.
    """

    name: ClassVar[str] = "pair"
    also: ClassVar[tuple[str, ...]] = ("attention",)
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "quick": {"residual": True, "variation": 0.0, "crop": 72, "batch": 16, "steps": 4_000},
        "paper": {"width": 1.0, "crop": 240, "batch": 64, "rate": 1e-4, "steps": 57_000},
    }

    def __init__(
        self,
        weights: str = "",
        precision: str = "auto",
        width: float = 0.25,
        residual: bool = False,
        steps: int = 20_000,
        batch: int = 16,
        crop: int = 96,
        rate: float = 1e-3,
        variation: float = 0.1,
        error: str = "",
        response: str = "none",
        photographs: float = 0.5,
        distinct: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(weights, precision, steps, batch, crop, rate, variation, error, response, photographs, distinct, seed)
        if not width > 0:
            raise Refusal(f"width={width} is not above 0")
        self.width = width
        self.residual = residual

    def shipped(self, sensor: Sensor) -> str:
        """The residual twin has weights of its own."""
        return self.name + "-residual" * self.residual

    def build(self, sensor: Sensor) -> Any:
        """For the code of the sensor."""
        network = self.rebuild(
            {"frames": sensor.frames, "tile": sensor.tile, "variant": self.name, "width": self.width, "residual": self.residual}
        )
        if reason := network.refusal(sensor):
            raise Refusal(str(reason))
        return network

    def rebuild(self, settings: Mapping[str, Any]) -> Any:
        """From the settings in a weight file."""
        from recon.networks import coded_blurred_pair

        return coded_blurred_pair.CodedBlurredPair(**settings)

    def unfit(self, trained: Trained, sensor: Sensor) -> str:
        """The coded image has to be of the same code; any camera that makes a blurred one serves the network that sees only that."""
        if self.name != "blurred" and not _opens_like(sensor, trained.code):
            return self._another(trained, sensor)
        reason = trained.network.refusal(sensor)
        return reason and f"{reason}; {self._train_others}"

    def estimates(self, network: Any, start: Any, charge: Tensor, variance: Tensor | None, exposure: Exposure) -> list[Tensor]:
        """One."""
        return [network(charge, exposure)]

    def attention(self, capture: Capture) -> NDArray[np.float32]:
        """How much of the blurred image each tile takes, (N, h, w): near 1 where nothing moves."""
        import torch

        def one(exposure: Capture) -> NDArray[np.float32]:
            if reason := self.refusal(exposure.sensor):
                raise Refusal(reason)
            with torch.inference_mode():
                charge, seen = torch.from_numpy(exposure.charge).to(device()), exposure_of(exposure.sensor).to(device())
                return self.trained(exposure.sensor).network.attention(charge, seen)[0, 0].cpu().numpy()

        return apply_to_exposures(one, capture)


class SingleCoded(CodedBlurredPair):
    """The published baseline that sees the coded image alone."""

    name: ClassVar[str] = "coded"
    also: ClassVar[tuple[str, ...]] = ()


class SingleBlurred(CodedBlurredPair):
    """The published baseline that sees the blurred image alone."""

    name: ClassVar[str] = "blurred"
    also: ClassVar[tuple[str, ...]] = ()
