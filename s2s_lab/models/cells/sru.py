"""The simple recurrent unit, whose products do not depend on the steps before."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2s_lab.faults import RequestError
from s2s_lab.models.cells.base import Cell, Projection, State, last_real, linear_projection, mask_beyond

MOST_BIAS = 100.0
"""Beyond it the reset gate is shut or open for good, and its scale no number of float32."""


class SRUCell(Cell):
    """A memory c with gates that see the input and, each unit its own, c; beside it the input itself.

    f = sigmoid(W_f x + v_f * c + b_f), r = sigmoid(W_r x + v_r * c + b_r), c' = f * c + (1 - f) * (W x),
    h' = r * c' + (1 - r) * a * x. Where the input is not as wide as the output, a product W_x x stands in place of x.
    The state is c alone: no step reads h.

    Paper: Lei et al. 2018, arXiv 1709.02755, of which also a = sqrt(1 + 2 exp(highway_bias)), which keeps the variance
    from layer to layer where W has the variance that it has before an initialization is applied, 1 / input_size.

    Args:
        input_size: width of an input.
        hidden_size: width of an output.
        highway_bias: b_r at the start.

    Raises:
        RequestError: `highway_bias` is not between -100 and 100.
    """

    output_is_state = False

    def __init__(self, *, input_size: int, hidden_size: int, highway_bias: float = 0.0) -> None:
        if not -MOST_BIAS <= highway_bias <= MOST_BIAS:
            raise RequestError(
                f"cell.highway_bias is {highway_bias!r}, expected a number from -{MOST_BIAS:g} to {MOST_BIAS:g}"
            )
        super().__init__(input_size=input_size, hidden_size=hidden_size, state_sizes=(hidden_size,))
        self.highway_bias = highway_bias
        self.scale = math.sqrt(1.0 + 2.0 * math.exp(highway_bias))
        self.shows_input = input_size == hidden_size
        num_products = 3 if self.shows_input else 4  # candidate, forget, reset, input
        bound = math.sqrt(3.0 / input_size)
        self.weight_ih = nn.Parameter(torch.empty(num_products * hidden_size, input_size).uniform_(-bound, bound))
        self.peephole_forget = nn.Parameter(torch.zeros(hidden_size))
        self.peephole_reset = nn.Parameter(torch.zeros(hidden_size))
        self.bias_forget = nn.Parameter(torch.zeros(hidden_size))
        self.bias_reset = nn.Parameter(torch.zeros(hidden_size))

    def initialize_biases(self) -> None:
        """Set the reset gate's bias to `highway_bias`; see Cell."""
        with torch.no_grad():
            self.bias_reset.fill_(self.highway_bias)

    def projection(self, start: int = 0, stop: int | None = None) -> Projection:
        """Give the map from the input's columns to W x, W_f x, W_r x and what is shown of x; see Cell."""
        project = linear_projection(self.weight_ih, None, start, stop)
        if not self.shows_input:
            return project
        behind = 0 if stop is None else self.input_size - stop
        return lambda inputs: torch.cat((project(inputs), functional.pad(inputs, (start, behind))), dim=-1)

    def advance(self, projected: Tensor, state: State, seen: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step from the projected input; `seen` is not read; see Cell."""
        (cell,) = state
        candidate, of_forget, of_reset, shown = projected.chunk(4, dim=1)
        following = self.renewed(candidate, of_forget + self.bias_forget, cell)
        return self.output(of_reset, cell, following, shown), (following,)

    def unroll(self, inputs: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step for each position, in a loop over the elementwise recurrence alone; see Cell."""
        candidate, of_forget, of_reset, shown = self.projection()(inputs).chunk(4, dim=2)
        of_forget = of_forget + self.bias_forget
        cells = [state[0]]
        for step_candidate, step_forget in zip(candidate.unbind(dim=1), of_forget.unbind(dim=1), strict=True):
            cells.append(self.renewed(step_candidate, step_forget, cells[-1]))
        cells = torch.stack(cells, dim=1)
        outputs = self.output(of_reset, cells[:, :-1], cells[:, 1:], shown)
        final, shown_last = cells[:, -1], outputs[:, -1]
        if lengths is not None:
            final, shown_last = last_real(cells[:, 1:], lengths), last_real(outputs, lengths)
            outputs = mask_beyond(outputs, lengths)
        # Where nothing reads the outputs, a gradient of zeros still reaches their gate: ranks wait for every gradient.
        return outputs, (final + 0.0 * shown_last,)

    def renewed(self, candidate: Tensor, of_forget: Tensor, cell: Tensor) -> Tensor:
        """Give the next memory (rows, hidden)."""
        forget = torch.sigmoid(of_forget + self.peephole_forget * cell)
        return torch.lerp(candidate, cell.to(candidate.dtype), forget.to(candidate.dtype))

    def output(self, of_reset: Tensor, cell: Tensor, following: Tensor, shown: Tensor) -> Tensor:
        """Give what is shown (..., hidden) of the next memory and of the input."""
        reset = torch.sigmoid(of_reset + self.bias_reset + self.peephole_reset * cell)
        return reset * following + (1.0 - reset) * self.scale * shown
