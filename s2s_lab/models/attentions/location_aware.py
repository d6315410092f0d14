"""Attention that also looks at where the step before attended to, of Chorowski et al."""

from typing import Any

from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.base import Prepared
from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.attentions.stateful import FeatureAttention, zeros_over
from s2s_lab.models.checks import require_positive


class LocationAwareAttention(FeatureAttention):
    """energy(q, m, f) = v . tanh(W q + U m + P f + b), f = F * weights of the step before, * being a convolution.

    Paper: Chorowski et al. 2015, arXiv 1506.07503, equations 8 and 9; their smoothing is
    normalizer@attention.normalizer=sigmoid, their sharpening a temperature below 1. What the first step sees is not
    said there: here it is zeros.

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: unused.
        attention_size: width of the sum under the tanh; None means `query_size`.
        num_filters: number of filters in F.
        kernel_size: width of a filter, in source positions; odd.
        normalizer: see Attention.

    Raises:
        RequestError: `kernel_size` is even.
    """

    ordered = True

    def __init__(
        self,
        *,
        query_size: int,
        memory_size: int,
        summary_size: int,
        attention_size: int | None = None,
        num_filters: int = 10,
        kernel_size: int = 201,
        normalizer: Normalizer | None = None,
    ) -> None:
        require_positive("attention.num_filters", num_filters)
        require_positive("attention.kernel_size", kernel_size)
        if kernel_size % 2 == 0:
            raise RequestError(f"attention.kernel_size is {kernel_size}, expected an odd number: it has a middle")
        super().__init__(
            query_size=query_size,
            memory_size=memory_size,
            summary_size=summary_size,
            feature_size=num_filters,
            attention_size=attention_size,
            bias=True,
            normalizer=normalizer,
        )
        self.filters = nn.Conv1d(1, num_filters, kernel_size, padding=kernel_size // 2, bias=False)

    def initial_state(self, prepared: Prepared) -> tuple[Tensor, ...]:
        """Start with no weights: zeros (batch, source_len); see Attention."""
        _, memory, mask = prepared
        return (zeros_over(memory, mask.shape[1]),)

    def attend(self, query: Tensor, prepared: Any, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Weigh by query, memory and the weights before; see StatefulAttention."""
        (before,) = state
        keys, _, mask = prepared
        rows = before.flatten(0, 1).unsqueeze(1).to(self.filters.weight.dtype)
        features = self.filters(rows)  # (rows, num_filters, source_len)
        features = features.transpose(1, 2).unflatten(0, before.shape[:2])
        weights = self.weigh(self.energies_with(query, keys, features), mask)
        return weights, (weights,)
