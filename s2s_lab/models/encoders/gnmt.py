"""The encoder of Google's neural machine translation system."""

from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.cells.stack import CellFactory
from s2s_lab.models.checks import require_stack
from s2s_lab.models.encoders.base import Encoder, EncoderOutput, real_positions
from s2s_lab.models.encoders.directions import mirrored, unroll_both, unroll_from_zero


class GNMTEncoder(Encoder):
    """The lowest layer reads both ways, those above forwards; from the third on, inputs are added to outputs.

    The summary is the top cell's final output, without what is added to it; of cell=sru its memory.

    Paper: Wu et al. 2016, arXiv 1609.08144, sections 3.1 and 3.2, figure 1, equation 6. Deviations: any cell; half the
    width for each direction of the lowest layer, which the paper does not say (its parameters, as Shazeer et al. 2017,
    arXiv 1701.06538, count them, are nearer to the full width).

    Args:
        input_size: width of an embedded token.
        cell: builds a cell.
        hidden_size: width of every layer and of a memory entry; the lowest layer gives half of it to each direction.
        num_layers: number of layers.
        dropout: probability of zeroing an input of the layers above the lowest.

    Raises:
        RequestError: `hidden_size` is odd.
    """

    def __init__(
        self, *, input_size: int, cell: CellFactory, hidden_size: int, num_layers: int = 4, dropout: float = 0.0
    ) -> None:
        super().__init__()
        require_stack("encoder", hidden_size=hidden_size, num_layers=num_layers, dropout=dropout)
        if hidden_size % 2:
            raise RequestError(f"encoder.hidden_size is {hidden_size}, expected an even number for two directions")
        self.forward_cell = cell(input_size=input_size, hidden_size=hidden_size // 2)
        self.backward_cell = cell(input_size=input_size, hidden_size=hidden_size // 2)
        self.upper_cells = nn.ModuleList(
            cell(input_size=hidden_size, hidden_size=hidden_size) for _ in range(num_layers - 1)
        )
        self.dropout = nn.Dropout(dropout)
        self.memory_size = hidden_size
        self.summary_size = hidden_size
        upper_sizes = tuple(layer.state_sizes for layer in self.upper_cells)
        self.state_sizes = (tuple(2 * size for size in self.forward_cell.state_sizes), *upper_sizes)  # type: ignore[assignment]

    def forward(self, embedded: Tensor, lengths: Tensor) -> EncoderOutput:
        """Read the sources; see Encoder."""
        mirror = mirrored(lengths, embedded.shape[1])
        outputs, state = unroll_both(self.forward_cell, self.backward_cell, embedded, lengths, mirror)
        final_state = [state]
        for index, cell in enumerate(self.upper_cells, 1):
            found, state = unroll_from_zero(cell, self.dropout(outputs), lengths)
            outputs = found + outputs if index >= 2 else found
            final_state.append(state)
        mask = real_positions(lengths, embedded.shape[1])
        return EncoderOutput(outputs, mask, tuple(final_state), final_state[-1][0])
