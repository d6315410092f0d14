"""The bridge that starts the decoder from a learned weighing of the memory."""

import torch
from torch import Tensor, nn

from s2s_lab.models.bridges.base import PoolingBridge, StateSizes


class AttentionPooledBridge(PoolingBridge):
    """Every state part starts at tanh(W p + b), p = sum_i a_i h_i with a = softmax of u tanh(W_a h_i + b_a).

    Paper: Yang et al. 2016, "Hierarchical Attention Networks for Document Classification", equations 5 to 7: the
    vector u is the learned query. Deviation: it pools an encoder's memory for a decoder's first state.

    Args:
        encoder_state_sizes: for each encoder layer, the width of each part of its state.
        decoder_state_sizes: the same of the decoder.
        memory_size: width of a memory entry, and of the query.
    """

    def __init__(self, *, encoder_state_sizes: StateSizes, decoder_state_sizes: StateSizes, memory_size: int) -> None:
        super().__init__(
            encoder_state_sizes=encoder_state_sizes, decoder_state_sizes=decoder_state_sizes, memory_size=memory_size
        )
        if decoder_state_sizes:
            self.key = nn.Linear(memory_size, memory_size)
            self.query = nn.Linear(memory_size, 1, bias=False)

    def pool(self, memory: Tensor, mask: Tensor) -> Tensor:
        """Weigh the real entries; see PoolingBridge."""
        energies = self.query(torch.tanh(self.key(memory))).squeeze(2)
        dtype = torch.promote_types(energies.dtype, torch.float32)
        weights = energies.masked_fill(~mask, float("-inf")).softmax(dim=1, dtype=dtype)
        return torch.bmm(weights.unsqueeze(1).to(memory.dtype), memory).squeeze(1)
