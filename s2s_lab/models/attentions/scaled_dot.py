"""Scaled dot-product attention, of Vaswani et al."""

import math

from torch import Tensor

from s2s_lab.models.attentions.base import require_equal_widths
from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.attentions.products import ProductAttention


class ScaledDotAttention(ProductAttention):
    """energy(q, m) = q . m / sqrt(size).

    Paper: Vaswani et al. 2017, arXiv 1706.03762, equation 1, without its projections.

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: unused.
        normalizer: see Attention.

    Raises:
        RequestError: queries and memory differ in width.
    """

    def __init__(
        self, *, query_size: int, memory_size: int, summary_size: int, normalizer: Normalizer | None = None
    ) -> None:
        super().__init__(
            query_size=query_size, memory_size=memory_size, summary_size=summary_size, normalizer=normalizer
        )
        require_equal_widths("scaled_dot", query_size, memory_size)

    def keys(self, memory: Tensor) -> Tensor:
        """Give m / sqrt(size): what no query changes; see Attention."""
        return memory / math.sqrt(self.memory_size)
