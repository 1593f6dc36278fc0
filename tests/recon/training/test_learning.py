"""The training loop: parts of a network at a pace of their own, statistics of batches in the moving average."""

from __future__ import annotations

from types import MappingProxyType

import pytest

torch = pytest.importorskip("torch")
from recon.learned.network import Network  # noqa: E402
from recon.training.learning import learn  # noqa: E402
from recon.training.schedule import Schedule  # noqa: E402
from recon.training.settings import TrainingSettings  # noqa: E402
from recon.training.validation import Found  # noqa: E402


class Slopes:
    """A source whose gradient is one everywhere."""

    def __init__(self):
        self.schedule = None

    def batch(self, step):
        return [torch.full((4, 1), float(step))]

    def loss(self, network, part):
        return network(part)

    def state(self):
        return {}

    def restore(self, state):
        pass


class TwoParts(torch.nn.Module, Network):
    paces = MappingProxyType({"slow": 0.25})

    def __init__(self):
        super().__init__()
        self.fast, self.slow = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
        self.seen = torch.nn.Buffer(torch.zeros(()))

    def forward(self, x):
        if self.training:
            self.seen.copy_(x.mean())
        return sum(parameter.sum() for part in (self.fast, self.slow) for parameter in part.parameters())


def settings(**words):
    return TrainingSettings(**{"steps": 3, "warm_up": 0, "decay": 0.0, "rate": 0.1, "every": 1, "average": 0.0, **words})


def test_parts_learn_at_their_pace():
    network = TwoParts()
    before = {name: one.detach().clone() for name, one in network.named_parameters()}
    learn(network, Slopes(), lambda network: Found({}, []), settings(), key={})
    moved = {name: (before[name] - one.detach()).abs().sum().item() for name, one in network.named_parameters()}
    assert moved["fast.bias"] == pytest.approx(0.3, abs=1e-4) and moved["slow.bias"] == pytest.approx(0.075, abs=1e-4)


def test_a_run_at_several_paces_resumes_with_the_same_bits(tmp_path):
    def run(steps, network, path):
        torch.manual_seed(0)
        return learn(
            network,
            Slopes(),
            lambda network: Found({}, []),
            settings(steps=steps),
            key={"recipe": settings().key()},
            checkpoint=path,
        )

    torch.manual_seed(1)
    first = TwoParts()
    state = {name: one.clone() for name, one in first.state_dict().items()}
    whole = run(4, first, None).network
    second = TwoParts()
    second.load_state_dict(state)
    run(2, second, tmp_path / "run.safetensors")
    again = TwoParts()
    resumed = run(4, again, tmp_path / "run.safetensors").network
    for name, one in whole.state_dict().items():
        assert torch.equal(one, resumed.state_dict()[name])


def test_the_average_is_validated_as_it_will_be_used():
    modes = []
    outcome = learn(
        TwoParts(), Slopes(), lambda network: modes.append(network.training) or Found({}, []), settings(average=0.9), key={}
    )
    assert modes == [False] * 3
    assert outcome.network.seen == 2  # that of the last batch
    assert Schedule.of(settings()).steps == 3
