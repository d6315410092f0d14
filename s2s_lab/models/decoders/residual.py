"""The decoder of a deep stack with residual connections, which attends after it has stepped."""

from torch import Tensor, nn

from s2s_lab.models.attentions.base import Prepared
from s2s_lab.models.cells.base import Cell, State
from s2s_lab.models.cells.stack import CellFactory, StackState
from s2s_lab.models.checks import require_stack
from s2s_lab.models.decoders.base import AttentionFactory, CellsState, Decoder, attend_all, attentional_vector


class ResidualDecoder(Decoder):
    """x_1 = cell_1(y), x_k = cell_k(x_(k-1)) + x_(k-1), c = attention(x_n), features = tanh(W [c; x_n]).

    With dense connections, x_k = cell_k(x_(k-1)) + x_1 + ... + x_(k-1). With an attention of empty context the features
    are x_n itself.

    Paper: Britz et al. 2017, arXiv 1703.03906, section "Encoder and Decoder Depth"; the attention as in Luong et al.
    2015, arXiv 1508.04025, equation 5. Deviation: tokens, which need not be as wide as the layers, are not added.

    Args:
        input_size: width of an embedded token y.
        memory_size: width of a memory entry.
        summary_size: width of the encoder's summary.
        attention: builds the attention.
        cell: builds a cell.
        hidden_size: width of every layer and of the features.
        num_layers: number of layers.
        dropout: probability of zeroing an input of the layers above the lowest, and a feature.
        dense: whether a layer's input is added to the outputs of all layers above it, not only of its own.
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
        dense: bool = False,
    ) -> None:
        super().__init__()
        require_stack("decoder", hidden_size=hidden_size, num_layers=num_layers, dropout=dropout)
        self.attention = attention(query_size=hidden_size, memory_size=memory_size, summary_size=summary_size)
        widths = [input_size] + [hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(cell(input_size=width, hidden_size=hidden_size) for width in widths)
        context_size = self.attention.context_size
        self.combination = nn.Linear(context_size + hidden_size, hidden_size) if context_size else None
        self.dropout = nn.Dropout(dropout)
        self.dense = dense
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
        output, lowest = self.cells[0].step(embedded, state.cells[0])
        following: list[State] = [lowest]
        added = output
        for cell, parts in zip(self.cells[1:], state.cells[1:], strict=True):
            found, parts = cell.step(self.dropout(output), parts)
            output = found + added
            added = added + output if self.dense else output
            following.append(parts)
        context, weights, attention = self.attention.step(output, prepared, state.attention)
        features = attentional_vector(self.combination, context, output)
        return self.dropout(features), CellsState(tuple(following), attention), weights

    def forward(self, embedded: Tensor, state: CellsState, prepared: Prepared) -> tuple[Tensor, Tensor | None]:
        """Make all steps, layer after layer; see Decoder."""
        outputs, _ = self.cells[0].unroll(embedded, state.cells[0])
        added = outputs
        for cell, parts in zip(self.cells[1:], state.cells[1:], strict=True):
            found, _ = cell.unroll(self.dropout(outputs), parts)
            outputs = found + added
            added = added + outputs if self.dense else outputs
        contexts, weights = attend_all(self.attention, outputs, state.attention, prepared)
        return self.dropout(attentional_vector(self.combination, contexts, outputs)), weights
