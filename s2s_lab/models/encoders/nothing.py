"""The encoder of a model without a source: it reads nothing."""

import torch
from torch import Tensor

from s2s_lab.models.cells.stack import CellFactory
from s2s_lab.models.checks import require_layers, require_positive
from s2s_lab.models.encoders.base import Encoder, EncoderOutput


class NoEncoder(Encoder):
    """Gives zeros whatever the source is, so that what is decoded is a language model of the targets.

    It has no parameters. Bridge `zero` and attention `start_only` pass nothing of it on; others get zeros of the sizes
    that a recurrent encoder of the same options would have, as many as the source is long.

    Paper: Mikolov et al. 2010, "Recurrent neural network based language model". Deviation: none.

    Args:
        input_size: unused.
        cell: tells the parts of a final state.
        hidden_size: width of a memory entry.
        num_layers: layers of the final state.
        bidirectional: unused: both directions together have `hidden_size`.
        dropout: unused: there is nothing to leave out.
    """

    reads = False

    def __init__(
        self,
        *,
        input_size: int,
        cell: CellFactory,
        hidden_size: int = 1,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        require_positive("encoder.hidden_size", hidden_size)
        require_layers("encoder.num_layers", num_layers)
        self.memory_size = hidden_size
        self.summary_size = hidden_size
        self.state_sizes = (tuple(cell(input_size=1, hidden_size=hidden_size).state_sizes),) * num_layers

    def forward(self, embedded: Tensor, lengths: Tensor) -> EncoderOutput:
        """Read nothing; see Encoder."""
        rows, source_len, _ = embedded.shape
        mask = torch.arange(source_len, device=embedded.device) < lengths.unsqueeze(1)
        memory = embedded.new_zeros(rows, source_len, self.memory_size)
        final_state = tuple(tuple(embedded.new_zeros(rows, size) for size in layer) for layer in self.state_sizes)
        return EncoderOutput(memory, mask, final_state, memory[:, 0])
