"""What cells with gates share that no fused kernel of torch computes: their parameters, one matrix for all gates."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2s_lab.models.cells.base import Cell, Projection, linear_projection


class GatedCell(Cell):
    """A cell with W x + b of every gate in one product, and U h of all or the first of them in another.

    Every parameter is first drawn uniformly within 1 / sqrt(hidden_size), as torch's own cells are.

    Args:
        input_size: width of an input.
        hidden_size: width of an output, and of each gate.
        gates: names of the gates, candidates included, in the order of their rows in W, U and b.
        num_recurrent: how many of them, counted from the first, U h holds; None means all.
        state_sizes: width of each part of the state; None means the output alone.
        fixed_biases: value at which the biases of a gate start.

    Attributes:
        weight_ih: W (gates x hidden, input_size).
        weight_hh: U (recurrent gates x hidden, hidden).
        bias: b (gates x hidden,).
    """

    def __init__(
        self,
        *,
        input_size: int,
        hidden_size: int,
        gates: tuple[str, ...],
        num_recurrent: int | None = None,
        state_sizes: tuple[int, ...] | None = None,
        fixed_biases: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(input_size=input_size, hidden_size=hidden_size, state_sizes=state_sizes or (hidden_size,))
        self.gates = gates
        self.fixed_biases = dict(fixed_biases or {})
        self.weight_ih = self.drawn(len(gates) * hidden_size, input_size)
        recurrent = len(gates) if num_recurrent is None else num_recurrent
        self.weight_hh = self.drawn(recurrent * hidden_size, hidden_size)
        self.bias = self.drawn(len(gates) * hidden_size)

    def drawn(self, *shape: int) -> nn.Parameter:
        """Give a parameter with first values."""
        bound = self.hidden_size**-0.5
        return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))

    def place(self, gate: str) -> slice:
        """Give the rows of a gate in `weight_ih`, `weight_hh` and `bias`."""
        index = self.gates.index(gate)
        return slice(index * self.hidden_size, (index + 1) * self.hidden_size)

    def initialize_biases(self) -> None:
        """Set the biases of the gates in `fixed_biases`; see Cell."""
        with torch.no_grad():
            for gate, value in self.fixed_biases.items():
                self.bias[self.place(gate)] = value

    def projection(self, start: int = 0, stop: int | None = None) -> Projection:
        """Give the map from the input's columns to W x + b of every gate; see Cell."""
        return linear_projection(self.weight_ih, self.bias, start, stop)

    def recurrence(self, hidden: Tensor) -> Tensor:
        """Give U h of the recurrent gates (rows, gates x hidden) for an output h (rows, hidden)."""
        return functional.linear(hidden, self.weight_hh)
