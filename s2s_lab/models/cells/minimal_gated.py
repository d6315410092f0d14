"""The minimal gated unit: one gate."""

import torch
from torch import Tensor
from torch.nn import functional

from s2s_lab.models.cells.base import State
from s2s_lab.models.cells.gated import GatedCell


class MinimalGatedCell(GatedCell):
    """A GRU whose one gate both resets and renews.

    f = sigmoid(W_f x + U_f h + b_f), n = tanh(W_n x + U_n (f * h) + b_n), h' = (1 - f) * h + f * n.

    Paper: Zhou et al. 2016, arXiv 1603.09420.

    Args:
        input_size: width of an input.
        hidden_size: width of an output.
    """

    def __init__(self, *, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size=input_size, hidden_size=hidden_size, gates=("forget", "candidate"), num_recurrent=1)
        self.weight_hh_candidate = self.drawn(hidden_size, hidden_size)

    def advance(self, projected: Tensor, state: State, seen: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step from the projected input; see Cell."""
        (hidden,) = state
        seen = hidden if seen is None else seen
        of_gate, of_candidate = projected.chunk(2, dim=1)
        f = torch.sigmoid(of_gate + self.recurrence(seen))
        n = torch.tanh(of_candidate + functional.linear(f * seen, self.weight_hh_candidate))
        hidden = torch.lerp(hidden.to(n.dtype), n, f)
        return hidden, (hidden,)
