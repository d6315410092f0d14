"""Zoneout: units that keep their state of the step before, at random."""

import torch
from torch import Tensor

from s2s_lab.models.cells.base import State
from s2s_lab.models.cells.stack import CellFactory
from s2s_lab.models.cells.wrapped import WrappedCell
from s2s_lab.models.checks import require_dropout


class ZoneoutCell(WrappedCell):
    """A cell each unit of whose state stays as it was with some probability, drawn anew at each step.

    h' = d * h + (1 - d) * h~, h~ being what the cell gives and d 1 with probability `hidden`; a memory c as h, with
    `memory`, which does not change the h~ of the same step. Outside training each d is its probability.

    Paper: Krueger et al. 2017, arXiv 1606.01305, first version, section 3.3.

    Args:
        cell: builds the cell.
        input_size: width of an input.
        hidden_size: width of an output.
        hidden: probability of keeping a unit of the output.
        memory: probability of keeping a unit of all other parts of the state.
    """

    def __init__(
        self, *, cell: CellFactory, input_size: int, hidden_size: int, hidden: float = 0.05, memory: float = 0.5
    ) -> None:
        require_dropout("cell_dropout.hidden", hidden)
        require_dropout("cell_dropout.memory", memory)
        super().__init__(cell(input_size=input_size, hidden_size=hidden_size))
        first = hidden if self.output_is_state else memory
        self.rates = (first, *(memory for _ in self.state_sizes[1:]))

    def advance(self, projected: Tensor, state: State, seen: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step from the projected input; see Cell."""
        output, following = self.inner.advance(projected, state, seen)
        parts = zip(following, state, self.rates, strict=True)
        following = tuple(self.zoned(new, old.to(new.dtype), rate) for new, old, rate in parts)
        return following[0] if self.output_is_state else output, following

    def zoned(self, new: Tensor, old: Tensor, rate: float) -> Tensor:
        """Give a part (rows, size) of the next state, of which some units are the old ones."""
        if not rate:
            return new
        if not self.training:
            return torch.lerp(new, old, rate)
        return torch.where(torch.rand(new.shape, device=new.device) < rate, old, new)

    def unroll(self, inputs: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step for each position, in the cell's own way where nothing is kept; see Cell."""
        return super().unroll(inputs, state, lengths) if any(self.rates) else self.inner.unroll(inputs, state, lengths)
