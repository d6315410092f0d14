"""The decoder with an attention between the two halves of each step, of Nematus."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.base import AttentionState, Prepared
from s2s_lab.models.cells.base import State
from s2s_lab.models.cells.stack import CellFactory, CellStack, StackState
from s2s_lab.models.checks import require_positive, require_stack
from s2s_lab.models.decoders.base import AttentionFactory, Decoder


class ConditionalState(NamedTuple):
    """What the next step needs.

    Attributes:
        cells: for each layer, parts (rows, size); the lowest are those of the second cell.
        attention: what the attention keeps of the steps before.
        kept: what the second cell keeps behind its state, as the first does in `cells`.
    """

    cells: StackState
    attention: AttentionState = ()
    kept: State = ()


class ConditionalDecoder(Decoder):
    """s' = cell_1(y, s), c = attention(s'), s = cell_2(c, s'), features = tanh(W [s; y; c]).

    Layers above the lowest are plain cells that read the output below; the readout takes the topmost.

    Paper: Sennrich et al. 2017, arXiv 1703.04357, section 2 (the conditional GRU with attention). Deviations: any
    cell; biases in the readout as in the code of Nematus.

    Args:
        input_size: width of an embedded token y.
        memory_size: width of a memory entry.
        summary_size: width of the encoder's summary.
        attention: builds the attention.
        cell: builds a cell.
        hidden_size: width of the states.
        num_layers: number of layers, the lowest of two cells.
        dropout: probability of zeroing an input of the layers above the lowest, and a feature.
        readout_size: width of the features; None means `hidden_size`. The paper's: `input_size`.

    Raises:
        RequestError: the attention's context is empty.
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
        num_layers: int = 1,
        dropout: float = 0.0,
        readout_size: int | None = None,
    ) -> None:
        super().__init__()
        require_stack("decoder", hidden_size=hidden_size, num_layers=num_layers, dropout=dropout)
        self.attention = attention(query_size=hidden_size, memory_size=memory_size, summary_size=summary_size)
        context_size = self.attention.context_size
        if not context_size:
            raise RequestError(
                "the second cell of decoder=conditional_gru reads a context, but the attention's is empty, expected "
                "another attention, or decoder=attend_last"
            )
        self.first = cell(input_size=input_size, hidden_size=hidden_size)
        self.second = cell(input_size=context_size, hidden_size=hidden_size)
        self.stack = (
            CellStack(
                cell=cell,
                input_size=hidden_size,
                hidden_size=hidden_size,
                num_layers=num_layers - 1,
                dropout=dropout,
            )
            if num_layers > 1
            else None
        )
        self.dropout = nn.Dropout(dropout)
        self.feature_size = hidden_size if readout_size is None else readout_size
        require_positive("decoder.readout_size", self.feature_size)
        self.readout_projection = nn.Linear(hidden_size + input_size + context_size, self.feature_size)
        self.state_sizes = (self.first.state_sizes, *(self.stack.state_sizes if self.stack else ()))

    def initial_state(self, bridged: StackState, prepared: Prepared) -> ConditionalState:
        """Start from the bridged state; see Decoder."""
        return ConditionalState(bridged, self.attention.initial_state(prepared))

    def step(
        self, embedded: Tensor, state: ConditionalState, prepared: Prepared
    ) -> tuple[Tensor, ConditionalState, Tensor | None]:
        """Make one step; see Decoder."""
        query, parts = self.first.step(embedded, state.cells[0])
        parts, first_kept = self.first.split(parts)
        context, weights, attention = self.attention.step(query, prepared, state.attention)
        output, parts = self.second.step(context, (*parts, *state.kept))
        parts, kept = self.second.split(parts)
        lowest = (*parts, *first_kept)
        cells: StackState = (lowest,)
        if self.stack is not None:
            output, upper = self.stack.step(self.dropout(output), state.cells[1:])
            cells = (lowest, *upper)
        return self.features(output, embedded, context), ConditionalState(cells, attention, kept), weights

    def forward(self, embedded: Tensor, state: ConditionalState, prepared: Prepared) -> tuple[Tensor, Tensor | None]:
        """Make all steps, those above the lowest layer in one go; see Decoder."""
        of_tokens = self.first.projection()(embedded.transpose(0, 1).contiguous()).unbind(dim=0)
        project_context = self.second.projection()
        parts, attention, kept = state.cells[0], state.attention, state.kept
        outputs, contexts, weights = [], [], []
        for of_token in of_tokens:
            query, parts = self.first.advance(of_token, parts)
            parts, first_kept = self.first.split(parts)
            context, weight, attention = self.attention.step(query, prepared, attention)
            output, parts = self.second.advance(project_context(context), (*parts, *kept))
            parts, kept = self.second.split(parts)
            parts = (*parts, *first_kept)
            outputs.append(output)
            contexts.append(context)
            if weight is not None:
                weights.append(weight)
        output = torch.stack(outputs, dim=1)
        if self.stack is not None:
            output, _ = self.stack.unroll(self.dropout(output), state.cells[1:])
        features = self.features(output, embedded, torch.stack(contexts, dim=1))
        return features, torch.stack(weights, dim=1) if weights else None

    def features(self, output: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        """Read the features (..., feature_size) out of state, token and context (..., size)."""
        read = self.readout_projection(torch.cat((output, embedded, context), dim=-1))
        return self.dropout(torch.tanh(read))
