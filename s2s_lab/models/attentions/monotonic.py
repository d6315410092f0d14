"""Monotonic attention, which reads the source once from left to right, of Raffel et al."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2s_lab.models.attentions.base import Prepared, to_compute_type
from s2s_lab.models.attentions.stateful import StatefulAttention, zeros_over
from s2s_lab.models.attentions.tanh_base import TanhAttention
from s2s_lab.models.checks import require_above_zero, require_not_negative
from s2s_lab.models.encoders.base import EncoderOutput


class MonotonicMemory(NamedTuple):
    """What the attention keeps of a batch of sources.

    Attributes:
        keys: (batch, source_len, size).
        memory: (batch, source_len, memory_size).
        mask: (batch, source_len) bool, True where real.
        last: (batch, source_len) bool, True at the last real position.
    """

    keys: Tensor
    memory: Tensor
    mask: Tensor
    last: Tensor


class MonotonicAttention(TanhAttention, StatefulAttention):
    """Each step goes on from where the one before stopped, and stops at a position with probability sigmoid(energy).

    energy(q, m) = g v / |v| . tanh(W q + U m + b) + r. With stopping probabilities p and weights a of the step before,
    the new weights are p_j q_j, q_j = (1 - p_{j-1}) q_{j-1} + a_j: the expected alignment, in which gradients flow.
    With `hard` evaluation and decoding stop where p is above 1/2: one position weighs 1.

    Paper: Raffel et al. 2017, arXiv 1704.00784, equations 11 to 14 and 16, `hard` and `noise` section 2.5. The
    recurrence in q is computed in log2(source_len) parallel steps of products and sums alone: stable, where the paper's
    cumulative products are divided by. Deviation: what passes the last position stops there, where the paper
    gives an empty context, so that weights always sum to 1.

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: unused.
        attention_size: width of the sum under the tanh; None means `query_size`.
        hard: whether evaluation and decoding stop for certain.
        noise: standard deviation of what is added to energies in training, so that they become large.
        first_offset: what r starts from; below 0, so that untrained attention does not stop at once.
        temperature: what energies, with their noise, are divided by; not in the paper.

    Raises:
        RequestError: `noise` is below 0, or `temperature` not above it.
    """

    ordered = True

    def __init__(
        self,
        *,
        query_size: int,
        memory_size: int,
        summary_size: int,
        attention_size: int | None = None,
        hard: bool = True,
        noise: float = 1.0,
        first_offset: float = -1.0,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(
            query_size=query_size,
            memory_size=memory_size,
            summary_size=summary_size,
            attention_size=attention_size,
            bias=True,
        )
        require_not_negative("attention.noise", noise)
        require_above_zero("attention.temperature", temperature)
        self.hard = hard
        self.noise = noise
        self.first_offset = first_offset
        self.temperature = temperature
        self.gain = nn.Parameter(torch.empty(1))
        self.offset = nn.Parameter(torch.empty(1))
        self.initialize_biases()

    def initialize_biases(self) -> None:
        """Start g from 1 / sqrt(size) and r from `first_offset`; see Attention."""
        nn.init.constant_(self.gain, 1.0 / math.sqrt(self.energy_projection.in_features))
        nn.init.constant_(self.offset, self.first_offset)

    def direction(self) -> Tensor:
        """Give g v / |v| (1, size); see TanhAttention."""
        return self.gain * functional.normalize(self.energy_projection.weight, dim=1)

    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        """Give g v / |v| . tanh(W q + U m + b) + r, in float32 at least; see Attention."""
        energies = super().energies(query, keys)
        return energies.to(torch.promote_types(energies.dtype, torch.float32)) + self.offset

    def prepare(self, encoded: EncoderOutput) -> MonotonicMemory:
        """Keep where each source ends too; see Attention."""
        memory, mask = to_compute_type(encoded.memory), encoded.memory_mask
        return MonotonicMemory(self.keys(memory), memory, mask, mask & ~functional.pad(mask[:, 1:], (0, 1)))

    def initial_state(self, prepared: Prepared) -> tuple[Tensor, ...]:
        """Start at the first position: (batch, source_len); see Attention."""
        _, memory, mask, _ = prepared
        weights = zeros_over(memory, mask.shape[1])
        weights[:, 0] = 1.0
        return (weights,)

    def attend(self, query: Tensor, prepared: Any, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Go on from the weights before; see StatefulAttention."""
        (before,) = state
        keys, _, mask, last = prepared
        energies = self.energies(query, keys)
        if self.training and self.noise:
            energies = energies + self.noise * torch.randn_like(energies)
        energies = energies / self.temperature
        if self.hard and not self.training:
            energies = torch.where(energies > 0.0, float("inf"), float("-inf")).to(energies.dtype)
        energies = energies.masked_fill(last.unsqueeze(1), float("inf"))
        stop = torch.sigmoid(energies).masked_fill(~mask.unsqueeze(1), 0.0)
        go_on = torch.sigmoid(-energies)
        weights = stop * linear_recurrence(functional.pad(go_on[:, :, :-1], (1, 0)), before)
        return weights, (weights,)


def linear_recurrence(factors: Tensor, terms: Tensor) -> Tensor:
    """Give q with q_j = factors_j q_{j-1} + terms_j along the last dimension, q before the first being 0.

    By doubling: after k rounds each position has summed up the 2^k before it.
    """
    distance = 1
    while distance < terms.shape[-1]:
        terms = terms + factors * functional.pad(terms[..., :-distance], (distance, 0))
        factors = factors * functional.pad(factors[..., :-distance], (distance, 0))
        distance *= 2
    return terms
