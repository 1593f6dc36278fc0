"""A long short-term memory whose products are convolutions, so that its state is a map.

X. Shi, Z. Chen, H. Wang, D.-Y. Yeung, W. Wong, W. Woo, "Convolutional LSTM network", NeurIPS 2015, without peepholes:

    i, f, o = sigmoid(W * [x, h])    g = tanh(W * [x, h])    c <- f c + i g    h <- o tanh(c)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: Hidden state h and cell c, each (N, C, h, w).
State = tuple[Tensor, Tensor]


class ConvolutionalLSTM(nn.Module):
    """One step of the recurrence, 3x3.

    Parameters
    ----------
    width : int
        Channels of input, hidden state and cell.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(2 * width, 4 * width, 3, padding=1)
        nn.init.kaiming_normal_(self.gates.weight, nonlinearity="linear")
        nn.init.zeros_(self.gates.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, state: State) -> State:
        """The next state."""
        hidden, cell = state
        entry, forget, leave, candidate = self.gates(torch.cat([x, hidden], 1)).chunk(4, 1)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(entry) * torch.tanh(candidate)
        return torch.sigmoid(leave) * torch.tanh(cell), cell
