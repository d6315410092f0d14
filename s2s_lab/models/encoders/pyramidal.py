"""The pyramidal recurrent encoder, each layer half as long as the one below."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2s_lab.faults import RequestError
from s2s_lab.models.cells.stack import CellFactory
from s2s_lab.models.checks import require_stack
from s2s_lab.models.encoders.base import Encoder, EncoderOutput, real_positions
from s2s_lab.models.encoders.directions import mirrored, unroll_both

MOST_HALVINGS = 16


class PyramidalEncoder(Encoder):
    """Reads both ways; each layer above the lowest reads pairs of neighbouring outputs side by side.

    The memory has one entry for 2^(num_layers - 1) tokens. Of an odd number the last one is paired with zeros. The
    summary is the top layer's final output, directions concatenated.

    Paper: Chan et al. 2016, arXiv 1508.01211, section 3.1. Deviation: any cell.

    Args:
        input_size: width of an embedded token.
        cell: builds a cell.
        hidden_size: width of a memory entry, both directions together.
        num_layers: number of layers; all but the lowest halve the length.
        dropout: probability of zeroing an input of the layers above the lowest.

    Raises:
        RequestError: `hidden_size` is odd, or the layers are more than can halve any length.
    """

    def __init__(
        self, *, input_size: int, cell: CellFactory, hidden_size: int, num_layers: int = 2, dropout: float = 0.0
    ) -> None:
        super().__init__()
        require_stack("encoder", hidden_size=hidden_size, num_layers=num_layers, dropout=dropout)
        if hidden_size % 2:
            raise RequestError(f"encoder.hidden_size is {hidden_size}, expected an even number for two directions")
        if num_layers > MOST_HALVINGS + 1:
            raise RequestError(
                f"encoder.num_layers is {num_layers}, expected at most {MOST_HALVINGS + 1} for a pyramid"
            )
        widths = [input_size] + [2 * hidden_size] * (num_layers - 1)
        self.forward_cells = nn.ModuleList(cell(input_size=width, hidden_size=hidden_size // 2) for width in widths)
        self.backward_cells = nn.ModuleList(cell(input_size=width, hidden_size=hidden_size // 2) for width in widths)
        self.dropout = nn.Dropout(dropout)
        self.reduction = 2 ** (num_layers - 1)
        self.memory_size = hidden_size
        self.summary_size = hidden_size
        self.state_sizes = tuple(
            tuple(2 * size for size in layer.state_sizes)  # type: ignore[union-attr]
            for layer in self.forward_cells
        )

    def forward(self, embedded: Tensor, lengths: Tensor) -> EncoderOutput:
        """Read the sources; see Encoder."""
        outputs, final_state = embedded, []
        source_mask = real_positions(lengths, embedded.shape[1])
        for index, (forward_cell, backward_cell) in enumerate(
            zip(self.forward_cells, self.backward_cells, strict=True)
        ):
            if index:
                outputs, lengths = in_pairs(self.dropout(outputs)), torch.div(lengths + 1, 2, rounding_mode="floor")
            mirror = mirrored(lengths, outputs.shape[1])
            outputs, state = unroll_both(forward_cell, backward_cell, outputs, lengths, mirror)
            final_state.append(state)
        mask = real_positions(lengths, outputs.shape[1])
        return EncoderOutput(outputs, mask, tuple(final_state), final_state[-1][0], source_mask)


def in_pairs(sequences: Tensor) -> Tensor:
    """Put neighbours side by side: (batch, length, size) to (batch, length / 2 rounded up, 2 x size)."""
    batch, length, size = sequences.shape
    even = functional.pad(sequences, (0, 0, 0, length % 2))
    return even.reshape(batch, (length + 1) // 2, 2 * size)
