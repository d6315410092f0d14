"""Additive attention with weight normalisation."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2s_lab.models.attentions.base import Attention
from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.attentions.tanh_energies import tanh_energies, tanh_keys
from s2s_lab.models.checks import require_positive


class WeightNormalisedAdditiveAttention(Attention):
    """energy(q, m) = g v / |v| . tanh(W q + U m + b): the length of v is a parameter of its own.

    Paper: Salimans and Kingma 2016, arXiv 1602.07868, equation 2, on the energy of Bahdanau et al. 2015, arXiv
    1409.0473; as in Raffel et al. 2017, arXiv 1704.00784, section 2.4, whose g starts at 1 / sqrt(size). Deviation
    from the first: W and U are not normalised.

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
            query_size=query_size, memory_size=memory_size, summary_size=summary_size, normalizer=normalizer
        )
        size = query_size if attention_size is None else attention_size
        require_positive("attention.attention_size", size)
        self.query_projection = nn.Linear(query_size, size, bias=False)
        self.memory_projection = nn.Linear(memory_size, size)
        self.energy_projection = nn.Linear(size, 1, bias=False)
        self.gain = nn.Parameter(torch.empty(1))
        nn.init.constant_(self.gain, 1.0 / math.sqrt(size))

    def initialize_biases(self) -> None:
        """Start g from 1 / sqrt(size); see Attention."""
        nn.init.constant_(self.gain, 1.0 / math.sqrt(self.energy_projection.in_features))

    def keys(self, memory: Tensor) -> Tensor:
        """Give U m + b, as `tanh_energies` wants it; see Attention."""
        return tanh_keys(self.memory_projection(memory))

    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        """Give g v / |v| . tanh(W q + U m + b); see Attention."""
        direction = self.gain * functional.normalize(self.energy_projection.weight, dim=1)
        return tanh_energies(self.query_projection(query), keys, direction)
