"""The gated recurrent unit."""

import torch
from torch import Tensor, nn

from s2s_lab.models.cells.base import FusedCell, State


class GRUCell(FusedCell):
    """A state that is renewed as far as its update gate opens.

    r = sigmoid(W_r x + U_r h), z = sigmoid(W_z x + U_z h), n = tanh(W_n x + r * (U_n h)), h' = (1 - z) * n + z * h,
    with a bias on each product.

    Paper: Cho et al. 2014, arXiv 1406.1078, equations 5-8. Deviation, as in torch.nn.GRU: the reset gate multiplies
    U_n h instead of h, and there are two biases.

    Args:
        input_size: width of an input.
        hidden_size: width of an output.
    """

    def __init__(self, *, input_size: int, hidden_size: int) -> None:
        super().__init__(layer=nn.GRU(input_size, hidden_size, batch_first=True))

    def advance(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """Make one step from the projected input; see Cell."""
        (hidden,) = state
        sizes = (2 * self.hidden_size, self.hidden_size)
        gates_of_input, candidate_of_input = projected.split(sizes, dim=1)
        gates_of_state, candidate_of_state = self.recurrence(hidden).split(sizes, dim=1)
        reset, update = torch.sigmoid(gates_of_input + gates_of_state).chunk(2, dim=1)
        candidate = torch.tanh(candidate_of_input + reset * candidate_of_state)
        hidden = candidate + update * (hidden - candidate)
        return hidden, (hidden,)
