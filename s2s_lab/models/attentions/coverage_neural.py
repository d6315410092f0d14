"""Attention with a learned memory of what was attended to at each position."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from s2s_lab.models.attentions.base import Prepared, to_compute_type
from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.attentions.stateful import FeatureAttention, zeros_over
from s2s_lab.models.checks import require_positive
from s2s_lab.models.encoders.base import EncoderOutput


class NeuralCoverageMemory(NamedTuple):
    """What the attention keeps of a batch of sources.

    Attributes:
        keys: (batch, source_len, size).
        memory: (batch, source_len, memory_size).
        mask: (batch, source_len) bool, True where real.
        of_memory: (batch, source_len, 3 coverage_size), the share of the memory in the gates.
    """

    keys: Tensor
    memory: Tensor
    mask: Tensor
    of_memory: Tensor


class NeuralCoverageAttention(FeatureAttention):
    """energy(q, m, c) = v . tanh(W q + U m + P c), c' = GRU([weight; m; q], c) for each position.

    Paper: Tu et al. 2016, arXiv 1601.04811, first version, section 3.1 ("gating") and equation 11; the gated unit of
    Cho et al. 2014, arXiv 1406.1078, equations 5 to 8: the reset gate works before the product. Deviation: biases in
    the gates.

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: unused.
        attention_size: width of the sum under the tanh; None means `query_size`.
        coverage_size: width of c.
        normalizer: see Attention.
    """

    def __init__(
        self,
        *,
        query_size: int,
        memory_size: int,
        summary_size: int,
        attention_size: int | None = None,
        coverage_size: int = 10,
        normalizer: Normalizer | None = None,
    ) -> None:
        require_positive("attention.coverage_size", coverage_size)
        super().__init__(
            query_size=query_size,
            memory_size=memory_size,
            summary_size=summary_size,
            feature_size=coverage_size,
            attention_size=attention_size,
            bias=False,
            normalizer=normalizer,
        )
        self.coverage_size = coverage_size
        self.gates_of_weight = nn.Linear(1, 3 * coverage_size, bias=False)
        self.gates_of_memory = nn.Linear(memory_size, 3 * coverage_size)
        self.gates_of_query = nn.Linear(query_size, 3 * coverage_size, bias=False)
        self.gates_of_coverage = nn.Linear(coverage_size, 2 * coverage_size, bias=False)
        self.candidate_of_coverage = nn.Linear(coverage_size, coverage_size, bias=False)

    def prepare(self, encoded: EncoderOutput) -> NeuralCoverageMemory:
        """Keep the share of the memory in the gates too; see Attention."""
        memory = to_compute_type(encoded.memory)
        return NeuralCoverageMemory(self.keys(memory), memory, encoded.memory_mask, self.gates_of_memory(memory))

    def initial_state(self, prepared: Prepared) -> tuple[Tensor, ...]:
        """Start with nothing covered: (batch, source_len, coverage_size); see Attention."""
        _, memory, mask, _ = prepared
        return (zeros_over(memory, mask.shape[1], self.coverage_size),)

    def attend(self, query: Tensor, prepared: Any, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Weigh, and let each position's unit read its weight; see StatefulAttention."""
        (coverage,) = state
        keys, _, mask, of_memory = prepared
        weights = self.weigh(self.energies_with(query, keys, coverage), mask)
        narrow = coverage.to(of_memory.dtype)  # what is carried on has float32's digits, the gates are the network's
        of_inputs = self.gates_of_weight(weights.unsqueeze(3).to(of_memory.dtype)) + of_memory.unsqueeze(1)
        of_inputs = of_inputs + self.gates_of_query(query).unsqueeze(2)  # (batch, width, source_len, 3 coverage_size)
        of_gates, of_candidate = of_inputs.tensor_split([2 * self.coverage_size], dim=3)
        reset, update = torch.sigmoid(of_gates + self.gates_of_coverage(narrow)).chunk(2, dim=3)
        candidate = torch.tanh(of_candidate + self.candidate_of_coverage(reset * narrow))
        return weights, (coverage + update * (candidate - coverage),)
