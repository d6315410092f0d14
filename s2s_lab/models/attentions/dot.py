"""Dot-product attention, of Luong et al."""

from torch import Tensor

from s2s_lab.models.attentions.base import require_equal_widths
from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.attentions.products import ProductAttention


class DotAttention(ProductAttention):
    """energy(q, m) = q . m.

    Paper: Luong et al. 2015, arXiv 1508.04025, section 3.1, below equation 7, "dot".

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
        require_equal_widths("dot", query_size, memory_size)

    def keys(self, memory: Tensor) -> Tensor:
        """Give m; see Attention."""
        return memory
