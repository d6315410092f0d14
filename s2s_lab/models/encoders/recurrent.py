"""The recurrent encoder: any cell, any depth, one or both directions."""

import torch
from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.cells.base import State
from s2s_lab.models.cells.stack import CellFactory
from s2s_lab.models.checks import require_stack
from s2s_lab.models.encoders.base import Encoder, EncoderOutput, real_positions
from s2s_lab.models.encoders.directions import mirrored, reorder, unroll_from_zero


class RecurrentEncoder(Encoder):
    """Reads each source step by step, forwards and, if asked to, backwards too.

    The summary is the top layer's final output (of cell=sru its memory), directions concatenated: the forward cell's
    after the last token, the backward cell's after the first.

    Paper: Sutskever et al. 2014, arXiv 1409.3215, section 3.3 (one direction, reversed source); Bahdanau et al.
    2015, arXiv 1409.0473, section 3.2 (both directions).

    Args:
        input_size: width of an embedded token.
        cell: builds a cell.
        hidden_size: width of a memory entry, all directions together.
        num_layers: number of layers; each reads both directions of the one below.
        bidirectional: whether to read backwards too, each direction with half of `hidden_size`.
        dropout: probability of zeroing an input of the layers above the lowest.
        reverse_source: whether to read each source last token first; the memory keeps the source's order.
        residual: whether what each layer above the lowest reads is added to its output (Wu et al. 2016, arXiv
            1609.08144, equation 6); final states hold outputs without it.

    Raises:
        RequestError: `hidden_size` is odd and `bidirectional`.
    """

    def __init__(
        self,
        *,
        input_size: int,
        cell: CellFactory,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.0,
        reverse_source: bool = False,
        residual: bool = False,
    ) -> None:
        super().__init__()
        require_stack("encoder", hidden_size=hidden_size, num_layers=num_layers, dropout=dropout)
        if bidirectional and hidden_size % 2:
            raise RequestError(f"encoder.hidden_size is {hidden_size}, expected an even number for two directions")
        self.reverse_source = reverse_source
        self.residual = residual
        size = hidden_size // 2 if bidirectional else hidden_size
        input_sizes = [input_size] + [hidden_size] * (num_layers - 1)
        self.forward_cells = nn.ModuleList(cell(input_size=width, hidden_size=size) for width in input_sizes)
        self.backward_cells = nn.ModuleList(
            cell(input_size=width, hidden_size=size) for width in (input_sizes if bidirectional else [])
        )
        self.dropout = nn.Dropout(dropout)
        self.memory_size = hidden_size
        self.summary_size = hidden_size
        directions = 2 if bidirectional else 1
        self.state_sizes = tuple(
            tuple(directions * part for part in layer.state_sizes)  # type: ignore[union-attr]
            for layer in self.forward_cells
        )

    def forward(self, embedded: Tensor, lengths: Tensor) -> EncoderOutput:
        """Read the sources; see Encoder."""
        mask = real_positions(lengths, embedded.shape[1])
        mirror = mirrored(lengths, embedded.shape[1])
        outputs = reorder(embedded, mirror) if self.reverse_source else embedded
        final_state: list[State] = []
        for index in range(len(self.forward_cells)):
            below = outputs
            inputs = outputs if index == 0 else self.dropout(outputs)
            outputs, state = unroll_from_zero(self.forward_cells[index], inputs, lengths)
            if self.backward_cells:
                backward, backward_state = unroll_from_zero(
                    self.backward_cells[index], reorder(inputs, mirror), lengths
                )
                outputs = torch.cat((outputs, reorder(backward, mirror)), dim=2)
                state = tuple(torch.cat(parts, dim=1) for parts in zip(state, backward_state, strict=True))
            if self.residual and index:
                outputs = outputs + below
            final_state.append(state)
        memory = reorder(outputs, mirror) if self.reverse_source else outputs
        return EncoderOutput(memory, mask, tuple(final_state), final_state[-1][0])
