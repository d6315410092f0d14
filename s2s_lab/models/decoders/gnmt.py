"""The decoder of Google's neural machine translation system."""

import torch
from torch import Tensor, nn

from s2s_lab.models.attentions.base import Prepared
from s2s_lab.models.cells.base import Cell, State
from s2s_lab.models.cells.stack import CellFactory, StackState
from s2s_lab.models.checks import require_stack
from s2s_lab.models.decoders.base import AttentionFactory, CellsState, Decoder


class GNMTDecoder(Decoder):
    """c = attention(the lowest layer's previous output); every layer reads c beside the output of the one below.

    From the third layer on, what a layer reads of the one below is added to its output. Features are the top output.

    Paper: Wu et al. 2016, arXiv 1609.08144, sections 3 and 3.1, equation 6, figure 1. Deviation: any cell, any
    attention; the first query is the lowest layer's bridged state, and every query of cell=sru its memory.

    Args:
        input_size: width of an embedded token y.
        memory_size: width of a memory entry.
        summary_size: width of the encoder's summary.
        attention: builds the attention.
        cell: builds a cell.
        hidden_size: width of every layer and of the features.
        num_layers: number of layers.
        dropout: probability of zeroing an input of the layers above the lowest, contexts left out, and a feature.
    """

    def __init__(
        self,
        *,
        input_size: int,
        memory_size: int,
        summary_size: int,
        attention: AttentionFactory,
        cell: CellFactory,
        hidden_size: int,
        num_layers: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        require_stack("decoder", hidden_size=hidden_size, num_layers=num_layers, dropout=dropout)
        self.attention = attention(query_size=hidden_size, memory_size=memory_size, summary_size=summary_size)
        widths = [input_size] + [hidden_size] * (num_layers - 1)
        context_size = self.attention.context_size
        self.layers = nn.ModuleList(cell(input_size=width + context_size, hidden_size=hidden_size) for width in widths)
        self.dropout = nn.Dropout(dropout)
        self.input_size = input_size
        self.state_sizes = tuple(layer.state_sizes for layer in self.cells)
        self.feature_size = hidden_size

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells, lowest first."""
        return tuple(self.layers)  # type: ignore[arg-type]

    def initial_state(self, bridged: StackState, prepared: Prepared) -> CellsState:
        """Start from the bridged state; see Decoder."""
        return CellsState(bridged, self.attention.initial_state(prepared))

    def step(self, embedded: Tensor, state: CellsState, prepared: Prepared) -> tuple[Tensor, CellsState, Tensor | None]:
        """Make one step; see Decoder."""
        context, weights, attention = self.attention.step(state.cells[0][0], prepared, state.attention)
        output, lowest = self.cells[0].step(torch.cat((embedded, context), dim=1), state.cells[0])
        following: list[State] = [lowest]
        for index, (cell, parts) in enumerate(zip(self.cells[1:], state.cells[1:], strict=True), 1):
            found, parts = cell.step(torch.cat((self.dropout(output), context), dim=1), parts)
            output = found + output if index >= 2 else found
            following.append(parts)
        return self.dropout(output), CellsState(tuple(following), attention), weights

    def forward(self, embedded: Tensor, state: CellsState, prepared: Prepared) -> tuple[Tensor, Tensor | None]:
        """Make all steps, those of all layers but the lowest in one go; see Decoder."""
        if self.attention.constant:
            contexts, weights = self.attention(embedded, prepared)
            outputs, _ = self.cells[0].unroll(torch.cat((embedded, contexts), dim=2), state.cells[0])
        else:
            outputs, contexts, weights = self.unroll(embedded, state, prepared)
        for index, (cell, parts) in enumerate(zip(self.cells[1:], state.cells[1:], strict=True), 1):
            found, _ = cell.unroll(torch.cat((self.dropout(outputs), contexts), dim=2), parts)
            outputs = found + outputs if index >= 2 else found
        return self.dropout(outputs), weights

    def unroll(self, embedded: Tensor, state: CellsState, prepared: Prepared) -> tuple[Tensor, Tensor, Tensor]:
        """Make step after step of the lowest layer; what depends on the tokens alone is computed for all at once.

        Returns:
            The outputs (batch, target_len, hidden), contexts (batch, target_len, context_size) and weights
            (batch, target_len, source_len).
        """
        lowest = self.cells[0]
        of_tokens = lowest.projection(0, self.input_size)(embedded.transpose(0, 1).contiguous()).unbind(dim=0)
        project_context = lowest.projection(self.input_size)
        parts, attention = state.cells[0], state.attention
        outputs, contexts, weights = [], [], []
        for of_token in of_tokens:
            context, weight, attention = self.attention.step(parts[0], prepared, attention)
            output, parts = lowest.advance(of_token + project_context(context), parts)
            outputs.append(output)
            contexts.append(context)
            weights.append(weight)
        return torch.stack(outputs, dim=1), torch.stack(contexts, dim=1), torch.stack(weights, dim=1)
