"""Local attention around a predicted position, of Luong et al."""

from typing import Any

import torch
from torch import Tensor, nn

from s2s_lab.models.attentions.energy import EnergyFactory
from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.attentions.windows import WindowedAttention, offsets_from


class LocalPredictiveAttention(WindowedAttention):
    """weights = align(q, m within D of p) exp(-(s - p)^2 / (2 sigma^2)), p = S sigmoid(v . tanh(W q)), sigma = D / 2.

    s counts source positions from 1, S is their number. Positions further than D from p weigh exactly 0.

    Paper: Luong et al. 2015, arXiv 1508.04025, equations 9 and 10, "local-p". Deviation: the weights are divided by
    their sum, which in the paper is below 1, unless `renormalise` is false.

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: unused.
        energy: builds the attention whose energies `align` normalises.
        half_width: D, in source positions.
        renormalise: whether the weights sum to 1.
        normalizer: see Attention.
    """

    ordered = True

    def __init__(
        self,
        *,
        query_size: int,
        memory_size: int,
        summary_size: int,
        energy: EnergyFactory,
        half_width: int = 10,
        renormalise: bool = True,
        normalizer: Normalizer | None = None,
    ) -> None:
        super().__init__(
            query_size=query_size,
            memory_size=memory_size,
            summary_size=summary_size,
            energy=energy,
            half_width=half_width,
            normalizer=normalizer,
        )
        self.renormalise = renormalise
        self.position_projection = nn.Linear(query_size, query_size, bias=False)
        self.position_direction = nn.Linear(query_size, 1, bias=False)

    def centers(self, query: Tensor, lengths: Tensor) -> Tensor:
        """Give the predicted positions p (batch, queries), counted from 1.

        Args:
            query: (batch, queries, query_size).
            lengths: (batch, 1), S.
        """
        logits = self.position_direction(torch.tanh(self.position_projection(query))).squeeze(2)
        return lengths * torch.sigmoid(logits.to(lengths.dtype))

    def forward(self, query: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        """Attend within the window of each query; see Attention."""
        keys, memory, mask, lengths = prepared
        offsets = offsets_from(self.centers(query, lengths), mask.shape[1])
        energies = self.energies(query, keys).masked_fill(offsets.abs() > self.half_width, float("-inf"))
        weights = self.weigh(energies, mask) * torch.exp(-2.0 * (offsets / self.half_width).square())
        if self.renormalise:
            weights = weights / weights.sum(dim=2, keepdim=True)
        return torch.bmm(weights.to(memory.dtype), memory), weights
