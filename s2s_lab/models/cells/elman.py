"""The simple recurrent cell of Elman: one layer, no gates."""

import torch
from torch import Tensor, nn

from s2s_lab.models.cells.base import FusedCell, State
from s2s_lab.models.checks import require_above_zero, require_choice


class ElmanCell(FusedCell):
    """h' = f(W x + b + U h + d), f being tanh or relu.

    Paper: Elman, Finding Structure in Time, Cognitive Science 14, 1990. With relu and `identity` this is the IRNN of
    Le, Jaitly and Hinton 2015, arXiv 1504.00941. Deviation: two biases, as in torch.nn.RNN.

    Args:
        input_size: width of an input.
        hidden_size: width of an output.
        nonlinearity: "tanh" or "relu".
        identity: U starts as this multiple of the identity matrix, and both biases at 0, whatever the initialization;
            None leaves what it gave.

    Raises:
        RequestError: `nonlinearity` is neither, or `identity` is not above 0.
    """

    def __init__(
        self, *, input_size: int, hidden_size: int, nonlinearity: str = "tanh", identity: float | None = None
    ) -> None:
        require_choice("cell.nonlinearity", nonlinearity, ("tanh", "relu"))
        if identity is not None:
            require_above_zero("cell.identity", identity, ", or null for none")
        super().__init__(layer=nn.RNN(input_size, hidden_size, nonlinearity=nonlinearity, batch_first=True))
        self.nonlinearity = torch.tanh if nonlinearity == "tanh" else torch.relu
        self.identity = identity

    def initialize_biases(self) -> None:
        """Set U to `identity` times the identity matrix, and the biases to 0; see Cell."""
        if self.identity is None:
            return
        _, recurrent_weight, input_bias, recurrent_bias = self.weights
        with torch.no_grad():
            nn.init.eye_(recurrent_weight).mul_(self.identity)
            input_bias.zero_()
            recurrent_bias.zero_()

    def advance(self, projected: Tensor, state: State, seen: Tensor | None = None) -> tuple[Tensor, State]:
        """Make one step from the projected input; see Cell."""
        (hidden,) = state
        hidden = self.nonlinearity(projected + self.recurrence(hidden if seen is None else seen))
        return hidden, (hidden,)
