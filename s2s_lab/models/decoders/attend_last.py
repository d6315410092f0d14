"""The decoder that attends after its cell has stepped, of Luong et al."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.base import AttentionState, Prepared
from s2s_lab.models.cells.stack import CellFactory, CellStack, StackState
from s2s_lab.models.checks import require_stack
from s2s_lab.models.decoders.base import AttentionFactory, CellsState, Decoder, attend_all, attentional_vector


class FeedingState(NamedTuple):
    """What the next step needs with input feeding.

    Attributes:
        cells: for each layer, parts (rows, size).
        feedback: (rows, hidden), the attentional vector of the step before.
        attention: what the attention keeps of the steps before.
    """

    cells: StackState
    feedback: Tensor
    attention: AttentionState = ()


class AttendLastDecoder(Decoder):
    """s' = cell(y, s), c = attention(s'), features = tanh(W [c; s']); with input feeding the cell reads [y; features].

    With an attention of empty context the features are s' itself: the decoder of Sutskever et al. 2014 (arXiv
    1409.3215).

    Paper: Luong et al. 2015, arXiv 1508.04025, equation 5 and section 3.3. Deviations: a bias in W; what is fed back
    is taken before dropout; the first step is fed zeros.

    Args:
        input_size: width of an embedded token y.
        memory_size: width of a memory entry.
        summary_size: width of the encoder's summary.
        attention: builds the attention.
        cell: builds a cell.
        hidden_size: width of the state s and of the features.
        num_layers: number of layers.
        dropout: probability of zeroing an input of the layers above the lowest, and a feature.
        input_feeding: whether each step reads the features of the one before.
        residual: whether what each layer above the lowest reads is added to its output; see CellStack.

    Raises:
        RequestError: `input_feeding` with an attention of constant context.
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
        input_feeding: bool = False,
        residual: bool = False,
    ) -> None:
        super().__init__()
        require_stack("decoder", hidden_size=hidden_size, num_layers=num_layers, dropout=dropout)
        self.attention = attention(query_size=hidden_size, memory_size=memory_size, summary_size=summary_size)
        if input_feeding and self.attention.constant:
            raise RequestError(
                "decoder.input_feeding is true without attention, expected false: there is no alignment to feed back"
            )
        self.stack = CellStack(
            cell=cell,
            input_size=input_size + hidden_size if input_feeding else input_size,
            hidden_size=hidden_size,
            num_layers=num_layers,
            dropout=dropout,
            residual=residual,
        )
        self.dropout = nn.Dropout(dropout)
        self.input_size = input_size
        self.input_feeding = input_feeding
        self.state_sizes = self.stack.state_sizes
        self.feature_size = hidden_size
        context_size = self.attention.context_size
        self.combination = nn.Linear(context_size + hidden_size, hidden_size) if context_size else None

    def initial_state(self, bridged: StackState, prepared: Prepared) -> CellsState | FeedingState:
        """Start from the bridged state, fed with zeros; see Decoder."""
        attention = self.attention.initial_state(prepared)
        if self.input_feeding:
            return FeedingState(bridged, torch.zeros_like(bridged[-1][0]), attention)
        return CellsState(bridged, attention)

    def step(
        self, embedded: Tensor, state: CellsState | FeedingState, prepared: Prepared
    ) -> tuple[Tensor, CellsState | FeedingState, Tensor | None]:
        """Make one step; see Decoder."""
        inputs = torch.cat((embedded, state.feedback), dim=1) if isinstance(state, FeedingState) else embedded
        output, cells = self.stack.step(inputs, state.cells)
        context, weights, attention = self.attention.step(output, prepared, state.attention)
        features = attentional_vector(self.combination, context, output)
        if self.input_feeding:
            return self.dropout(features), FeedingState(cells, features, attention), weights
        following = CellsState(cells, attention)
        return self.dropout(features), following, weights

    def forward(
        self, embedded: Tensor, state: CellsState | FeedingState, prepared: Prepared
    ) -> tuple[Tensor, Tensor | None]:
        """Make all steps, in one go where nothing is fed back; see Decoder."""
        if isinstance(state, FeedingState):
            features, weights = self.unroll(embedded, state, prepared)
        else:
            outputs, _ = self.stack.unroll(embedded, state.cells)
            contexts, weights = attend_all(self.attention, outputs, state.attention, prepared)
            features = attentional_vector(self.combination, contexts, outputs)
        return self.dropout(features), weights

    def unroll(self, embedded: Tensor, state: FeedingState, prepared: Prepared) -> tuple[Tensor, Tensor]:
        """Make step after step; what depends on the tokens alone is computed for all steps at once.

        Returns:
            The features (batch, target_len, hidden) and weights (batch, target_len, source_len).
        """
        of_tokens = self.stack.projection(0, self.input_size)(embedded.transpose(0, 1).contiguous()).unbind(dim=0)
        project_feedback = self.stack.projection(self.input_size)
        cells, features, attention = state
        all_features, all_weights = [], []
        for of_token in of_tokens:
            output, cells = self.stack.advance(of_token + project_feedback(features), cells)
            context, weights, attention = self.attention.step(output, prepared, attention)
            features = attentional_vector(self.combination, context, output)
            all_features.append(features)
            all_weights.append(weights)
        return torch.stack(all_features, dim=1), torch.stack(all_weights, dim=1)
