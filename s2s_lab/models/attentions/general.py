"""General (bilinear) attention, of Luong et al."""

from torch import Tensor, nn

from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.attentions.products import ProductAttention


class GeneralAttention(ProductAttention):
    """energy(q, m) = q . W m.

    Paper: Luong et al. 2015, arXiv 1508.04025, section 3.1, below equation 7, "general".

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: unused.
        normalizer: see Attention.
    """

    def __init__(
        self, *, query_size: int, memory_size: int, summary_size: int, normalizer: Normalizer | None = None
    ) -> None:
        super().__init__(
            query_size=query_size, memory_size=memory_size, summary_size=summary_size, normalizer=normalizer
        )
        self.memory_projection = nn.Linear(memory_size, query_size, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        """Give W m; see Attention."""
        return self.memory_projection(memory)
