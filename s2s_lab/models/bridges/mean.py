"""The bridge that starts the decoder from the mean of the memory."""

from torch import Tensor

from s2s_lab.models.bridges.base import PoolingBridge


class MeanBridge(PoolingBridge):
    """Every state part starts at tanh(W mean + b), the mean being over the real memory entries.

    Paper: Sennrich et al. 2017 (Nematus), arXiv 1703.04357, section 2: s_0 = tanh(W_init mean of h_i).
    Deviation: with a bias.
    """

    def pool(self, memory: Tensor, mask: Tensor) -> Tensor:
        """Give the mean of the real entries; see PoolingBridge."""
        real = mask.unsqueeze(2).to(memory.dtype)
        return (memory * real).sum(dim=1) / real.sum(dim=1).clamp(min=1.0)
