"""Attention that knows how much of each position was attended to before."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from s2s_lab.models.attentions.base import Prepared, to_compute_type
from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.attentions.stateful import FeatureAttention, zeros_over
from s2s_lab.models.checks import require_above_zero
from s2s_lab.models.encoders.base import EncoderOutput


class CoverageMemory(NamedTuple):
    """What the attention keeps of a batch of sources.

    Attributes:
        keys: (batch, source_len, size).
        memory: (batch, source_len, memory_size).
        mask: (batch, source_len) bool, True where real.
        shares: (batch, source_len), what a full weight adds to the coverage of a position.
    """

    keys: Tensor
    memory: Tensor
    mask: Tensor
    shares: Tensor


class CoverageAttention(FeatureAttention):
    """energy(q, m, c) = v . tanh(W q + U m + p c + b), c being the sum of the weights before, over the fertility.

    Paper: See et al. 2017, arXiv 1704.04368, equations 10 and 11 (no fertility, with a bias; their coverage loss is
    objective=coverage); Tu et al. 2016, arXiv 1601.04811, first version, equations 9 to 11, linguistic coverage
    (fertility, no bias): a position's coverage grows by its weight / fertility, fertility = N sigmoid(u . m).

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: unused.
        attention_size: width of the sum under the tanh; None means `query_size`.
        fertility: N, the most target tokens that one source position may bring forth; None: 1 for all.
        bias: whether there is a b.
        normalizer: see Attention.

    Raises:
        RequestError: `fertility` is not above 0.
    """

    def __init__(
        self,
        *,
        query_size: int,
        memory_size: int,
        summary_size: int,
        attention_size: int | None = None,
        fertility: float | None = None,
        bias: bool = True,
        normalizer: Normalizer | None = None,
    ) -> None:
        super().__init__(
            query_size=query_size,
            memory_size=memory_size,
            summary_size=summary_size,
            feature_size=1,
            attention_size=attention_size,
            bias=bias,
            normalizer=normalizer,
        )
        if fertility is not None:
            require_above_zero("attention.fertility", fertility, ", or null for none")
        self.fertility = fertility
        self.fertility_projection = None if fertility is None else nn.Linear(memory_size, 1, bias=False)

    def prepare(self, encoded: EncoderOutput) -> CoverageMemory:
        """Keep the inverse fertilities too; see Attention."""
        memory = to_compute_type(encoded.memory)
        shares = zeros_over(memory, memory.shape[1]) + 1.0
        if self.fertility is not None and self.fertility_projection is not None:
            logits = self.fertility_projection(memory).squeeze(2).to(shares.dtype)
            shares = (1.0 + torch.exp(-logits)) / self.fertility  # 1 / (N sigmoid)
        return CoverageMemory(self.keys(memory), memory, encoded.memory_mask, shares)

    def initial_state(self, prepared: Prepared) -> tuple[Tensor, ...]:
        """Start with nothing covered: (batch, source_len); see Attention."""
        _, memory, mask, _ = prepared
        return (zeros_over(memory, mask.shape[1]),)

    def attend(self, query: Tensor, prepared: Any, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Weigh, and add the weights to what is covered; see StatefulAttention."""
        (coverage,) = state
        keys, _, mask, shares = prepared
        weights = self.weigh(self.energies_with(query, keys, coverage.unsqueeze(3)), mask)
        return weights, (coverage + weights * shares.unsqueeze(1),)
