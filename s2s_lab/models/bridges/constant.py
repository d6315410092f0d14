"""The bridge that starts every sentence from the same learned state."""

import torch
from torch import Tensor, nn

from s2s_lab.models.bridges.base import Bridge, NestedState, StateSizes


class ConstantBridge(Bridge):
    """Each part of each decoder layer starts at a learned vector, which no source is in.

    The vectors are zeros before training, unless the chosen initialization draws them.

    Args:
        encoder_state_sizes: for each encoder layer, the width of each part of its state.
        decoder_state_sizes: the same of the decoder.
        memory_size: unused.
    """

    def __init__(
        self, *, encoder_state_sizes: StateSizes, decoder_state_sizes: StateSizes, memory_size: int = 0
    ) -> None:
        super().__init__(encoder_state_sizes=encoder_state_sizes, decoder_state_sizes=decoder_state_sizes)
        self.starts = nn.ModuleList(
            nn.ParameterList(nn.Parameter(torch.zeros(size)) for size in layer) for layer in decoder_state_sizes
        )

    def forward(self, encoder_final_state: NestedState, summary: Tensor) -> NestedState:
        """Give the learned state to every row; see Bridge."""
        rows = summary.shape[0]
        return tuple(
            tuple(part.to(summary.dtype).expand(rows, -1).contiguous() for part in layer)  # type: ignore[union-attr]
            for layer in self.starts
        )
