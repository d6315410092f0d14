"""The simple recurrent cell of Elman: one layer, no gates."""

import torch
from torch import Tensor, nn

from s2s_lab.models.cells.base import FusedCell, State
from s2s_lab.models.checks import require_choice


class ElmanCell(FusedCell):
    """h' = f(W x + b + U h + d), f being tanh or relu.

    Paper: Elman, Finding Structure in Time, Cognitive Science 14, 1990. Deviation: two biases, as in torch.nn.RNN.

    Args:
        input_size: width of an input.
        hidden_size: width of an output.
        nonlinearity: "tanh" or "relu".

    Raises:
        RequestError: `nonlinearity` is neither.
    """

    def __init__(self, *, input_size: int, hidden_size: int, nonlinearity: str = "tanh") -> None:
        require_choice("cell.nonlinearity", nonlinearity, ("tanh", "relu"))
        super().__init__(layer=nn.RNN(input_size, hidden_size, nonlinearity=nonlinearity, batch_first=True))
        self.nonlinearity = torch.tanh if nonlinearity == "tanh" else torch.relu

    def advance(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """Make one step from the projected input; see Cell."""
        (hidden,) = state
        hidden = self.nonlinearity(projected + self.recurrence(hidden))
        return hidden, (hidden,)
