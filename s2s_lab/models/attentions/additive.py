"""Additive attention, of Bahdanau et al."""

from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.attentions.tanh_base import TanhAttention


class AdditiveAttention(TanhAttention):
    """energy(q, m) = v . tanh(W q + U m).

    Paper: Bahdanau et al. 2015, arXiv 1409.0473, A.1.2; "concat" of Luong et al. 2015.

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: unused.
        attention_size: width of the sum under the tanh; None means `query_size`.
        normalizer: see Attention.
    """

    def __init__(
        self,
        *,
        query_size: int,
        memory_size: int,
        summary_size: int,
        attention_size: int | None = None,
        normalizer: Normalizer | None = None,
    ) -> None:
        super().__init__(
            query_size=query_size,
            memory_size=memory_size,
            summary_size=summary_size,
            attention_size=attention_size,
            bias=False,
            normalizer=normalizer,
        )
