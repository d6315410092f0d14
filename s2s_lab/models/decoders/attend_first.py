"""The decoder that attends before its cell steps, of Bahdanau et al."""

import torch
from torch import Tensor, nn

from s2s_lab.models.attentions.base import Prepared
from s2s_lab.models.cells.stack import CellFactory, CellStack, StackState
from s2s_lab.models.checks import require_choice, require_positive, require_stack
from s2s_lab.models.decoders.base import AttentionFactory, CellsState, Decoder


class AttendFirstDecoder(Decoder):
    """c = attention(s), s' = cell([y; c], s), features = readout(s', y, c).

    The query s is the top cell's previous output, without what `residual` adds to it, of cell=sru its memory. With an
    attention of constant context this is the decoder of Cho et al. 2014 (arXiv 1406.1078), where the reset gate however
    multiplies the context's product too.

    Paper: Bahdanau et al. 2015, arXiv 1409.0473, A.1 and A.2.2. Deviations: the readout takes the new state, as the
    paper's section 3.1 says, where its appendix prints the previous one; biases in the readout; with the
    readout "none" the output sees state and context alone.

    Args:
        input_size: width of an embedded token y.
        memory_size: width of a memory entry.
        summary_size: width of the encoder's summary.
        attention: builds the attention.
        cell: builds a cell.
        hidden_size: width of the state s.
        num_layers: number of layers.
        dropout: probability of zeroing an input of the layers above the lowest, and a feature.
        readout: "maxout" (the larger of two projections of [s'; y; c]), "tanh" (of one), or "none" ([s'; c]).
        readout_size: width of a maxout or tanh readout; None means `hidden_size`. The paper's maxout: half of it.
        residual: whether what each layer above the lowest reads is added to its output; see CellStack.

    Raises:
        RequestError: `readout` is none of these.
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
        readout: str = "tanh",
        readout_size: int | None = None,
        residual: bool = False,
    ) -> None:
        super().__init__()
        require_stack("decoder", hidden_size=hidden_size, num_layers=num_layers, dropout=dropout)
        require_choice("decoder.readout", readout, ("maxout", "tanh", "none"))
        self.attention = attention(query_size=hidden_size, memory_size=memory_size, summary_size=summary_size)
        context_size = self.attention.context_size
        self.stack = CellStack(
            cell=cell,
            input_size=input_size + context_size,
            hidden_size=hidden_size,
            num_layers=num_layers,
            dropout=dropout,
            residual=residual,
        )
        self.dropout = nn.Dropout(dropout)
        self.input_size = input_size
        self.readout = readout
        self.state_sizes = self.stack.state_sizes
        if readout == "none":
            self.feature_size = hidden_size + context_size
        else:
            self.feature_size = hidden_size if readout_size is None else readout_size
            require_positive("decoder.readout_size", self.feature_size)
            pieces = 2 if readout == "maxout" else 1
            self.readout_projection = nn.Linear(hidden_size + input_size + context_size, pieces * self.feature_size)

    def initial_state(self, bridged: StackState, prepared: Prepared) -> CellsState:
        """Start from the bridged state; see Decoder."""
        return CellsState(bridged, self.attention.initial_state(prepared))

    def step(self, embedded: Tensor, state: CellsState, prepared: Prepared) -> tuple[Tensor, CellsState, Tensor | None]:
        """Make one step; see Decoder."""
        context, weights, attention = self.attention.step(state.cells[-1][0], prepared, state.attention)
        output, cells = self.stack.step(torch.cat((embedded, context), dim=1), state.cells)
        return self.features(output, embedded, context), CellsState(cells, attention), weights

    def forward(self, embedded: Tensor, state: CellsState, prepared: Prepared) -> tuple[Tensor, Tensor | None]:
        """Make all steps, the cell's in one go where the context is constant; see Decoder."""
        if self.attention.constant:
            contexts, weights = self.attention(embedded, prepared)
            outputs, _ = self.stack.unroll(torch.cat((embedded, contexts), dim=2), state.cells)
        else:
            outputs, contexts, weights = self.unroll(embedded, state, prepared)
        return self.features(outputs, embedded, contexts), weights

    def unroll(self, embedded: Tensor, state: CellsState, prepared: Prepared) -> tuple[Tensor, Tensor, Tensor]:
        """Make step after step; what depends on the tokens alone is computed for all steps at once.

        Returns:
            The outputs (batch, target_len, hidden), contexts (batch, target_len, context_size) and weights
            (batch, target_len, source_len).
        """
        of_tokens = self.stack.projection(0, self.input_size)(embedded.transpose(0, 1).contiguous()).unbind(dim=0)
        project_context = self.stack.projection(self.input_size)
        cells, attention = state
        outputs, contexts, weights = [], [], []
        for of_token in of_tokens:
            context, weight, attention = self.attention.step(cells[-1][0], prepared, attention)
            output, cells = self.stack.advance(of_token + project_context(context), cells)
            outputs.append(output)
            contexts.append(context)
            weights.append(weight)
        return torch.stack(outputs, dim=1), torch.stack(contexts, dim=1), torch.stack(weights, dim=1)

    def features(self, output: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        """Read the features (..., feature_size) out of state, token and context (..., size)."""
        if self.readout == "none":
            return self.dropout(torch.cat((output, context), dim=-1))
        projected = self.readout_projection(torch.cat((output, embedded, context), dim=-1))
        if self.readout == "tanh":
            return self.dropout(torch.tanh(projected))
        return self.dropout(projected.unflatten(-1, (self.feature_size, 2)).amax(dim=-1))
