"""The gated recurrent unit with layer normalisation."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2s_lab.models.cells.base import Projection, State, linear_projection
from s2s_lab.models.cells.gated import GatedCell


class LayerNormGRUCell(GatedCell):
    """A GRU whose products are brought to mean 0 and variance 1 at each step.

    z, r = sigmoid(LN(W x) + LN(U h) + b) side by side, n = tanh(LN(W_n x) + b_n + r * (LN(U_n h) + d)),
    h' = (1 - z) * h + z * n. Each LN has gains, which start at 1; gates and candidate are normalised apart.

    Paper: Ba, Kiros and Hinton 2016, arXiv 1607.06450, supplementary material. Deviation: b stands for both shifts of
    the gates, whose sum they are.

    Args:
        input_size: width of an input.
        hidden_size: width of an output.
    """

    def __init__(self, *, input_size: int, hidden_size: int) -> None:
        super().__init__(
            input_size=input_size, hidden_size=hidden_size, gates=("update", "reset", "candidate"), num_recurrent=2
        )
        self.weight_hh_candidate = self.drawn(hidden_size, hidden_size)
        self.norm_input = nn.LayerNorm(2 * hidden_size, bias=False)
        self.norm_recurrent = nn.LayerNorm(2 * hidden_size, bias=False)
        self.norm_candidate = nn.LayerNorm(hidden_size, bias=False)
        self.norm_recurrent_candidate = nn.LayerNorm(hidden_size)

    def initialize_biases(self) -> None:
        """Set gains to 1 and shifts to 0; see Cell."""
        super().initialize_biases()
        for norm in (self.norm_input, self.norm_recurrent, self.norm_candidate, self.norm_recurrent_candidate):
            norm.reset_parameters()

    def projection(self, start: int = 0, stop: int | None = None) -> Projection:
        """Give the map from the input's columns to W x, which is normalised when it is whole; see Cell."""
        return linear_projection(self.weight_ih, None, start, stop)

    def advance(self, projected: Tensor, state: State, seen: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step from the projected input; see Cell."""
        (hidden,) = state
        seen = hidden if seen is None else seen
        size = self.hidden_size
        of_gates = self.norm_input(projected[:, : 2 * size]) + self.norm_recurrent(self.recurrence(seen))
        z, r = torch.sigmoid(of_gates + self.bias[: 2 * size]).chunk(2, dim=1)
        of_candidate = self.norm_candidate(projected[:, 2 * size :]) + self.bias[2 * size :]
        recurrent = self.norm_recurrent_candidate(functional.linear(seen, self.weight_hh_candidate))
        n = torch.tanh(of_candidate + r * recurrent)
        hidden = torch.lerp(hidden.to(n.dtype), n, z)
        return hidden, (hidden,)
