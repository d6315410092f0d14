"""The decoder that weighs source against target by a gate, of Tu et al."""

import torch
from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.base import Prepared
from s2s_lab.models.cells.stack import CellFactory, CellStack, StackState
from s2s_lab.models.checks import require_choice, require_stack
from s2s_lab.models.decoders.base import AttentionFactory, CellsState, Decoder


class ContextGateDecoder(Decoder):
    """c = attention(s), z = sigmoid(W_z y + U_z s + C_z c), s' = cell(x, s), features = tanh(R [s'; y; c]).

    With t = W y + U s and q = C c, x is t + z * q (`gate` "source"), z * t + q ("target") or (1 - z) * t + z * q
    ("both").

    Paper: Tu et al. 2017, arXiv 1608.06043, first version, equation 4 and section 3.2. Deviations: any cell, which
    reads the gated sum and keeps a recurrence of its own; biases in z and t. The rest is as in AttendFirstDecoder.

    Args:
        input_size: width of an embedded token y.
        memory_size: width of a memory entry.
        summary_size: width of the encoder's summary.
        attention: builds the attention.
        cell: builds a cell.
        hidden_size: width of the state s and of the features.
        num_layers: number of layers; the lowest reads x, the topmost is the query.
        dropout: probability of zeroing an input of the layers above the lowest, and a feature.
        gate: "both", "source" or "target".

    Raises:
        RequestError: `gate` is none of these, or the attention's context is empty.
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
        gate: str = "both",
    ) -> None:
        super().__init__()
        require_stack("decoder", hidden_size=hidden_size, num_layers=num_layers, dropout=dropout)
        require_choice("decoder.gate", gate, ("both", "source", "target"))
        self.attention = attention(query_size=hidden_size, memory_size=memory_size, summary_size=summary_size)
        context_size = self.attention.context_size
        if not context_size:
            raise RequestError(
                "the gate of decoder=context_gate weighs a context, but the attention's is empty, expected another "
                "attention, or decoder=attend_first"
            )
        self.token_projection = nn.Linear(input_size, 2 * hidden_size)
        self.state_projection = nn.Linear(hidden_size, 2 * hidden_size, bias=False)
        self.context_projection = nn.Linear(context_size, 2 * hidden_size, bias=False)
        self.stack = CellStack(
            cell=cell, input_size=hidden_size, hidden_size=hidden_size, num_layers=num_layers, dropout=dropout
        )
        self.readout_projection = nn.Linear(hidden_size + input_size + context_size, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.gate = gate
        self.state_sizes = self.stack.state_sizes
        self.feature_size = hidden_size

    def initial_state(self, bridged: StackState, prepared: Prepared) -> CellsState:
        """Start from the bridged state; see Decoder."""
        return CellsState(bridged, self.attention.initial_state(prepared))

    def step(self, embedded: Tensor, state: CellsState, prepared: Prepared) -> tuple[Tensor, CellsState, Tensor | None]:
        """Make one step; see Decoder."""
        query = state.cells[-1][0]
        context, weights, attention = self.attention.step(query, prepared, state.attention)
        output, cells = self.stack.step(self.gated(self.token_projection(embedded), query, context), state.cells)
        return self.features(output, embedded, context), CellsState(cells, attention), weights

    def forward(self, embedded: Tensor, state: CellsState, prepared: Prepared) -> tuple[Tensor, Tensor | None]:
        """Make all steps, one after the other; what depends on the tokens alone is computed at once; see Decoder."""
        of_tokens = self.token_projection(embedded.transpose(0, 1).contiguous()).unbind(dim=0)
        project = self.stack.projection()
        cells, attention = state
        outputs, contexts, weights = [], [], []
        for of_token in of_tokens:
            query = cells[-1][0]
            context, weight, attention = self.attention.step(query, prepared, attention)
            output, cells = self.stack.advance(project(self.gated(of_token, query, context)), cells)
            outputs.append(output)
            contexts.append(context)
            if weight is not None:
                weights.append(weight)
        features = self.features(torch.stack(outputs, dim=1), embedded, torch.stack(contexts, dim=1))
        return features, torch.stack(weights, dim=1) if weights else None

    def gated(self, of_token: Tensor, query: Tensor, context: Tensor) -> Tensor:
        """Give x (rows, hidden) of [W_z; W] y + b (rows, 2 x hidden), s (rows, hidden) and c (rows, context_size)."""
        of_target = of_token + self.state_projection(query)
        of_source = self.context_projection(context)
        target_gate, target = of_target.chunk(2, dim=1)
        source_gate, source = of_source.chunk(2, dim=1)
        gate = torch.sigmoid(target_gate + source_gate)
        if self.gate == "source":
            return target + gate * source
        if self.gate == "target":
            return gate * target + source
        return torch.lerp(target, source, gate)

    def features(self, output: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        """Read the features (..., feature_size) out of state, token and context (..., size)."""
        read = self.readout_projection(torch.cat((output, embedded, context), dim=-1))
        return self.dropout(torch.tanh(read))
