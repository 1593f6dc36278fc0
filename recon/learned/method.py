"""The contract of learned methods: a network, the weights it was given, and the capture's own sensor.

A network sees the charge, its noise, and a classical start. It serves frames of any size: they are padded, never resized, to whole
tiles in the phase of the code. Weights say for which code they were trained; other codes are refused.
"""

from __future__ import annotations

import importlib.util
import inspect
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recon import weight_file
from recon.learned.network import Given, Network, device, given
from recon.reconstructor import Reconstructor, needs_local
from recon.training.settings import TrainingSettings
from sensors.capture import Capture
from sensors.refusal import Refusal
from sensors.sensor import Sensor

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from recon.training.batches import Batch, Batches
    from recon.training.fine_tuning import Gain
    from recon.training.learning import Outcome, Source


@dataclass(frozen=True)
class Trained:
    """A network with its weights, and what it was trained for."""

    network: Any  # nn.Module and Network
    code: NDArray  # (T, p, q)
    buckets: int
    start: str  # the classical method it starts from, or empty


class Learned(Reconstructor):
    """A network behind the verbs of every method; see the subclasses for what each one is.

    Parameters
    ----------
    weights : str
        Name of shipped weights, or a file (.safetensors); the shipped ones of the method's own name by default. Training begins from
        weights that are named.
    precision : str
        ``float32``, ``bfloat16``, or ``auto``: bfloat16 where the processor computes in it.
    training : TrainingSettings
        Settings of its training, each reached by its own word: ``pair:steps=4000``.

    Attributes
    ----------
    trained_ : Trained
        What was learnt or loaded.
    outcome_ : Outcome
        Where the training stands.
    gain_ : Gain
        What a fine-tuning on captures has gained.
    """

    name: ClassVar[str]
    continues: ClassVar[bool] = True
    presets: ClassVar[dict[str, dict[str, Any]]] = {}
    trained_: Trained | None = None
    outcome_: Outcome | None = None
    gain_: Gain | None = None

    def __init__(self, weights: str = "", precision: str = "auto", training: TrainingSettings = TrainingSettings()) -> None:
        if precision not in ("auto", "float32", "bfloat16"):
            raise Refusal(f"unknown precision {precision!r}; known: auto, float32, bfloat16")
        self.weights = weights
        self.precision = precision
        self.training = training

    # What a method has to define, or may ---------------------------------------------------------------------------------------

    def shipped(self, sensor: Sensor) -> str:
        """Name of the weights that come with c2b for these settings and captures of that sensor."""
        return self.name

    @abstractmethod
    def build(self, sensor: Sensor) -> Any:
        """The network for a sensor, untrained."""

    @abstractmethod
    def rebuild(self, settings: Mapping[str, Any]) -> Any:
        """The network of the settings in a weight file."""

    def begins_with(self, sensor: Sensor) -> str:
        """The classical method that the network starts from; none by default."""
        return ""

    def initial(self, network: Network) -> str:
        """The kind of initial weights where the settings name none; by default those that the network is built with."""
        return ""

    @abstractmethod
    def estimates(self, network: Any, given: Given) -> list[Tensor]:
        """Estimates (N, T, H, W) of the stages of the network, the last one best."""

    def loss(self, network: Any, batch: Batch) -> Tensor:
        """Training loss of a batch; a method whose outputs are more than a video replaces it."""
        with self.autocast():
            estimates = self.estimates(network, batch.given)
        return self.error(estimates, batch.truth)

    def error(self, estimates: list[Tensor], truth: Tensor) -> Tensor:
        """The loss that the settings name, of estimates (N, T, H, W)."""
        from recon.training.losses import Loss

        settings = self.training
        kind = settings.error or self.usual_error
        return Loss(settings.variation, settings.variation_step, error=kind, response=settings.response)(estimates, truth)

    def terms(self) -> Mapping[str, Any]:
        """Settings of the method's own on which the loss depends; a run does not go on under others."""
        return {}

    usual_error: ClassVar[str] = "absolute"

    #: Whether the order of its frames can be observed; if not, they are validated in the better of both orders.
    ordered: ClassVar[bool] = True

    def source(self, batches: Batches, network: Any) -> Source:
        """Where the training loop takes its batches from."""
        return batches

    def take_over(self, network: Any, known: Any) -> None:
        """Begin with the weights of a network of the same form.

        Raises
        ------
        Refusal
            If it is of another form.
        """
        theirs, ours = ({name: one.shape for name, one in net.state_dict().items()} for net in (known, network))
        if theirs != ours:
            raise Refusal(f"cannot go on from {self.weights}: it holds a network of {known.settings}, not {network.settings}")
        network.load_state_dict(known.state_dict())

    def unfit(self, trained: Trained, sensor: Sensor) -> str:
        """Why the network does not know captures of that sensor; empty if it does."""
        family = trained.network.any_code and len(sensor.code) == len(trained.code)
        if sensor.buckets == trained.buckets and (opens_like(sensor, trained.code) or (family and opens_like(sensor, sensor.code))):
            return ""
        return self.another_code(trained, sensor)

    # The contract ------------------------------------------------------------------------------------------------------------

    def refusal(self, sensor: Sensor) -> str:
        """The code must be the one that the weights were trained for."""
        if reason := needs_local(sensor, self.name):
            return reason
        if reason := self._needs_torch():
            return reason
        if self.trained_ is None and not self.weights and not weight_file.locate(self.shipped(sensor)).is_file():
            return f"no weights of {self.name} for such captures come with c2b; {self.train_others}"
        try:
            trained = self.trained(sensor)
        except Refusal as refused:
            return str(refused)
        return self.unfit(trained, sensor)

    def fit(
        self,
        clips: Iterable[NDArray],
        sensors: Sensor | Callable[[np.random.Generator], Sensor],
        *,
        held: Iterable[NDArray] = (),
        report: Callable[..., None] | None = None,
        checkpoint: Path | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Self:
        """Learn from clips of stored values (F, H, W); those of one frame are photographs, which are set in motion.

        Parameters
        ----------
        held : iterable of ndarray, (F, H, W)
            Clips of the validation.
        report : callable, (done, total, said, row)
            Called after each step, with a row of figures after each validation; `trained_` is the moving average at that time.
        checkpoint : path
            File of the run, which resumes from it: with bit-identical results on one processor.
        stop : callable
            Called after each step; True ends the run in good order. `outcome_` tells how far it came.

        Raises
        ------
        Refusal
            If there is nothing to learn from, the checkpoint is of another run, the loss became NaN or infinite, or an output of the
            network stays constant.
        """
        if reason := self._needs_torch():
            raise Refusal(reason)
        import torch

        from recon.training.batches import Batches, first_of
        from recon.training.learning import learn
        from recon.training.validation import Validation

        settings = self.training
        torch.manual_seed(settings.seed)
        sensor = first_of(sensors, settings.seed)
        if reason := needs_local(sensor, self.name):
            raise Refusal(reason)
        network, start = self._begun(sensor), self.begins_with(sensor)
        self._refuse_several_codes(Trained(network, sensor.code, sensor.buckets, start), sensors)
        batches = Batches(settings, list(clips), sensors, start=start, multiple=network.multiple, loss=self.loss)

        def keep(average: Any) -> None:
            self.trained_ = Trained(average, batches.sensor.code, batches.sensor.buckets, start)

        key = {"method": self.name, "network": network.settings, "start": start, "data": batches.digest(), "begun_from": self.weights}
        self.outcome_ = learn(
            network,
            self.source(batches, network),
            Validation(batches, self._best, list(held), ordered=self.ordered),
            settings,
            key={**key, "recipe": settings.key(), **self.terms()},
            report=report,
            checkpoint=checkpoint,
            stop=stop,
            validated=keep,
        )
        keep(self.outcome_.network.eval())
        return self

    def fit_captures(
        self,
        captures: Sequence[Capture],
        *,
        held: Sequence[Capture] = (),
        report: Callable[..., None] | None = None,
        checkpoint: Path | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Self:
        """Go on from the weights at hand on captures of one's own, without a truth (`recon.training.fine_tuning`).

        Parameters
        ----------
        captures : list of Capture
        held : list of Capture
            Held back, to tell on them what was gained; of none every fifth exposure. `gain_` says what, and the weights stay as they
            were where that is too little.
        report, checkpoint, stop
            As in `fit`.

        Raises
        ------
        Refusal
            If the weights do not know the captures, the code tells no frames apart, or there are too few or too small ones.
        """
        if reason := self._needs_torch():
            raise Refusal(reason)
        import torch

        from recon.training.fine_tuning import fine_tune, single

        torch.manual_seed(self.training.seed)
        trained = self.trained(captures[0].sensor.at(0))
        exposures, back = ([one for many in given for one in single(many)] for given in (captures, held))
        if reason := next(filter(None, (self.unfit(trained, one.sensor) for one in (*exposures, *back))), ""):
            raise Refusal(reason)
        self.outcome_, self.gain_ = fine_tune(
            self, trained.network, trained.start, exposures, back, report=report, checkpoint=checkpoint, stop=stop
        )
        network = self.outcome_.network if self.gain_.kept else trained.network
        self.trained_ = Trained(network, trained.code, trained.buckets, trained.start)
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

    def learnt(self, sensor: Sensor) -> tuple[Path | NDArray, ...]:
        """The weights: the file that is named or shipped, else those in memory."""
        if self.trained_ is None or self.weights:
            return (weight_file.locate(self.weights or self.shipped(sensor)),)
        return self.trained_.code, *(value.detach().cpu().numpy() for value in self.trained_.network.state_dict().values())

    def solve(self, capture: Capture) -> NDArray[np.float32]:
        """The frames (T, H, W) of one exposure."""
        import torch

        from recon.learned.padding import on_whole_cells

        trained = self.trained(capture.sensor)
        network, shown = trained.network, given([capture], trained.start)
        with torch.inference_mode():
            if network.multiple == (1, 1):
                video = self._best(network, shown)
            else:
                video = on_whole_cells(lambda part: self._best(network, part), shown, network.multiple, network.reach)
        return np.ascontiguousarray(video[0].float().cpu().numpy())

    # ------------------------------------------------------------------------------------------------------------------------

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
            if name in parameters and _plain(asked) not in (_plain(theirs), _plain(parameters[name].default)):
                raise Refusal(f"{name}={asked}, but these weights of {self.name} are of {name}={theirs}; {self.train_others}")
        return trained

    @property
    def bfloat16(self) -> bool:
        """Whether convolutions are computed in bfloat16."""
        if self.precision != "auto":
            return self.precision == "bfloat16"
        import torch

        return torch.cuda.is_available() or torch.ops.mkldnn._is_mkldnn_bf16_supported()

    def autocast(self) -> torch.autocast:
        """The context in which networks are run."""
        import torch

        return torch.autocast(device().type, torch.bfloat16, enabled=self.bfloat16)

    @property
    def train_others(self) -> str:
        """The command that trains for another code."""
        return f"train your own: c2b train {self.name} WEIGHTS.safetensors --videos DIR --code ..."

    def another_code(self, trained: Trained, sensor: Sensor) -> str:
        """The refusal of a code that the weights do not know."""
        theirs, ours = ("x".join(map(str, code.shape[-2:] + code.shape[-3:-2])) for code in (trained.code, sensor.code))
        here = f"this one is of {ours} with {sensor.buckets}"
        if (theirs, trained.buckets) == (ours, sensor.buckets):
            elsewhere = np.mean((sensor.shares[0] > 0.5) != (trained.code > 0.5))
            here = f"this one differs from it in {elsewhere:.0%} of its values"
        return (
            f"these weights of {self.name} were trained for {trained.buckets} bucket(s) and a code of {theirs}; {here}; "
            f"{self.train_others}"
        )

    def settings(self) -> dict[str, Any]:
        """All settings by their words, as JSON has them."""
        own = {name: getattr(self, name) for name in inspect.signature(type(self)).parameters if name != "training"}
        return own | asdict(self.training)

    def _best(self, network: Any, shown: Given) -> Tensor:
        with self.autocast():
            return self.estimates(network, shown)[-1]

    def _begun(self, sensor: Sensor) -> Any:
        """The network to train, with the weights that were named, or new ones."""
        import torch

        from recon.training.initialisation import initialise

        network = self.build(sensor)
        if self.weights:
            self.take_over(network, _read(self, weight_file.locate(self.weights)).network)
        else:
            initialise(network, self.training.initial or self.initial(network), sensor)
        return network.to(device(), memory_format=torch.channels_last)

    def _refuse_several_codes(self, trained: Trained, sensors: Sensor | Callable[[np.random.Generator], Sensor]) -> None:
        """A Refusal if sensors with codes are drawn that the network cannot tell apart."""
        from recon.training.batches import SENSORS_COMPARED, first_of

        for seed in range(SENSORS_COMPARED if callable(sensors) else 0):
            if reason := self.unfit(trained, first_of(sensors, seed)):
                told = reason.partition(f"; {self.train_others}")[0]
                raise Refusal(f"{told}; it learns one code; train one network for each, or a family: coded=true")

    def _needs_torch(self) -> str:
        return "" if importlib.util.find_spec("torch") else f"{self.name} needs torch; install it with: pip install torch"


def _plain(setting: Any) -> Any:
    """As JSON has it."""
    return list(setting) if isinstance(setting, tuple) else setting


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


def opens_like(sensor: Sensor, code: NDArray) -> bool:
    """Whether bucket 0 collects, but for leakage, while that code is 1."""
    return np.array_equal(sensor.shares[0] > 0.5, code > 0.5)
