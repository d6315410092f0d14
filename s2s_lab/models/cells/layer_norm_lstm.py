"""The long short-term memory with layer normalisation."""

import torch
from torch import Tensor, nn

from s2s_lab.models.cells.base import Projection, State, linear_projection
from s2s_lab.models.cells.gated import GatedCell


class LayerNormLSTMCell(GatedCell):
    """An LSTM whose two products and whose memory are brought to mean 0 and variance 1 at each step.

    i, f, g, o = LN(W x) + LN(U h) + b side by side, c' = sigmoid(f) * c + sigmoid(i) * tanh(g),
    h' = sigmoid(o) * tanh(LN(c')). Each LN has gains, which start at 1, and normalises over all of its units, the first
    two over the four gates together. State: (h, c).

    Paper: Ba, Kiros and Hinton 2016, arXiv 1607.06450, supplementary material. Deviation: b stands for the shifts of
    the two products and for the bias, being their sum.

    Args:
        input_size: width of an input.
        hidden_size: width of an output.
        forget_bias: the forget gate's bias at the start; None leaves what the initialization gave.
    """

    def __init__(self, *, input_size: int, hidden_size: int, forget_bias: float | None = 1.0) -> None:
        super().__init__(
            input_size=input_size,
            hidden_size=hidden_size,
            gates=("input", "forget", "candidate", "output"),
            state_sizes=(hidden_size, hidden_size),
            fixed_biases={} if forget_bias is None else {"forget": forget_bias},
        )
        self.norm_input = nn.LayerNorm(4 * hidden_size, bias=False)
        self.norm_recurrent = nn.LayerNorm(4 * hidden_size, bias=False)
        self.norm_cell = nn.LayerNorm(hidden_size)

    def initialize_biases(self) -> None:
        """Set gains to 1 and shifts to 0, and the forget gate's bias; see Cell."""
        super().initialize_biases()
        for norm in (self.norm_input, self.norm_recurrent, self.norm_cell):
            norm.reset_parameters()

    def projection(self, start: int = 0, stop: int | None = None) -> Projection:
        """Give the map from the input's columns to W x, which is normalised when it is whole; see Cell."""
        return linear_projection(self.weight_ih, None, start, stop)

    def advance(self, projected: Tensor, state: State, seen: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step from the projected input; see Cell."""
        hidden, cell = state
        recurrent = self.norm_recurrent(self.recurrence(hidden if seen is None else seen))
        i, f, g, o = (self.norm_input(projected) + recurrent + self.bias).chunk(4, dim=1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(self.norm_cell(cell))
        return hidden, (hidden, cell)
