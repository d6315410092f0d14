"""The recurrent encoder whose layers take turns in reading forwards and backwards."""

import torch
from torch import Tensor, nn

from s2s_lab.models.cells.base import State
from s2s_lab.models.cells.stack import CellFactory
from s2s_lab.models.checks import require_stack
from s2s_lab.models.encoders.base import Encoder, EncoderOutput, real_positions
from s2s_lab.models.encoders.directions import mirrored, reorder, unroll_from_zero


class AlternatingEncoder(Encoder):
    """The lowest layer reads forwards, the next one backwards what the lowest gave, and so on.

    With fast-forward connections, layer k reads f_k = W_k [f_(k-1); h_(k-1)], h being a layer's output and f_1 = W_1 x:
    a path from the tokens to every layer that is linear. Without them it reads h_(k-1). The summary is the top layer's
    final output.

    Paper: Zhou et al. 2016, arXiv 1606.04199, first version, equation 3. Deviations: one column in place of the two
    that begin in opposite directions; any cell, which keeps an input projection of its own; biases in W; dropout on
    f and h alike; f at its full width, and not in the memory.

    Args:
        input_size: width of an embedded token.
        cell: builds a cell.
        hidden_size: width of every layer and of a memory entry.
        num_layers: number of layers.
        fast_forward: whether there are fast-forward connections.
        dropout: probability of zeroing an input of the layers above the lowest.
    """

    def __init__(
        self,
        *,
        input_size: int,
        cell: CellFactory,
        hidden_size: int,
        num_layers: int = 2,
        fast_forward: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        require_stack("encoder", hidden_size=hidden_size, num_layers=num_layers, dropout=dropout)
        widths = [input_size] + [2 * hidden_size] * (num_layers - 1)
        self.connections = nn.ModuleList(nn.Linear(width, hidden_size) for width in widths) if fast_forward else None
        widths = [hidden_size if fast_forward else input_size] + [hidden_size] * (num_layers - 1)
        self.cells = nn.ModuleList(cell(input_size=width, hidden_size=hidden_size) for width in widths)
        self.dropout = nn.Dropout(dropout)
        self.memory_size = hidden_size
        self.summary_size = hidden_size
        self.state_sizes = tuple(layer.state_sizes for layer in self.cells)  # type: ignore[assignment]

    def forward(self, embedded: Tensor, lengths: Tensor) -> EncoderOutput:
        """Read the sources; see Encoder."""
        mirror = mirrored(lengths, embedded.shape[1])
        inputs = outputs = embedded
        final_state: list[State] = []
        for index, cell in enumerate(self.cells):
            if self.connections is None:
                inputs = self.dropout(outputs) if index else embedded
            else:
                read = self.dropout(torch.cat((inputs, outputs), dim=2)) if index else embedded
                inputs = self.connections[index](read)
            if index % 2:
                outputs, state = unroll_from_zero(cell, reorder(inputs, mirror), lengths)
                outputs = reorder(outputs, mirror)
            else:
                outputs, state = unroll_from_zero(cell, inputs, lengths)
            final_state.append(state)
        mask = real_positions(lengths, embedded.shape[1])
        return EncoderOutput(outputs, mask, tuple(final_state), final_state[-1][0])
