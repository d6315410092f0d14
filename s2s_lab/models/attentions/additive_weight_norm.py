"""Additive attention with weight normalisation."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.attentions.tanh_base import TanhAttention


class WeightNormalisedAdditiveAttention(TanhAttention):
    """energy(q, m) = g v / |v| . tanh(W q + U m + b): the length of v is a parameter of its own.

    Paper: Salimans and Kingma 2016, arXiv 1602.07868, equation 2, on the energy of Bahdanau et al. 2015, arXiv
    1409.0473; as in Raffel et al. 2017, arXiv 1704.00784, equation 16 without r, whose g starts at 1 / sqrt(size).
    Deviation from the first: W and U are not normalised.

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
            bias=True,
            normalizer=normalizer,
        )
        self.gain = nn.Parameter(torch.empty(1))
        self.initialize_biases()

    def initialize_biases(self) -> None:
        """Start g from 1 / sqrt(size); see Attention."""
        nn.init.constant_(self.gain, 1.0 / math.sqrt(self.energy_projection.in_features))

    def direction(self) -> Tensor:
        """Give g v / |v| (1, size); see TanhAttention."""
        return self.gain * functional.normalize(self.energy_projection.weight, dim=1)
