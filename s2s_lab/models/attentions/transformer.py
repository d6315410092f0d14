"""The attention of the Transformer over its source: scaled dot products in several heads."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.base import Attention, Prepared, to_compute_type
from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.checks import require_positive
from s2s_lab.models.encoders.base import EncoderOutput
from s2s_lab.models.layers.scaled_dot_product import scaled_dot_product


class PreparedHeads(NamedTuple):
    """What the attention keeps of a batch of sources.

    Attributes:
        keys: (batch, heads, source_len, head_size).
        values: (batch, heads, source_len, head_size).
        mask: (batch, source_len) bool, True where real.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor


class TransformerAttention(Attention):
    """energy_h(q, m) = (W_h q) . (U_h m) / sqrt(head_size), context = [sum of weights_h V_h m for each head h].

    Heads share the query's width evenly. The weights given are the heads' mean. The projection W^O belongs to what
    reads the context.

    Paper: Vaswani et al. 2017, arXiv 1706.03762, section 3.2. Deviation: biases.

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: unused.
        num_heads: number of heads.
        normalizer: of every head; see Attention.

    Raises:
        RequestError: `num_heads` does not divide `query_size`.
    """

    sums_memory = False

    def __init__(
        self,
        *,
        query_size: int,
        memory_size: int,
        summary_size: int,
        num_heads: int = 8,
        normalizer: Normalizer | None = None,
    ) -> None:
        super().__init__(
            query_size=query_size, memory_size=memory_size, summary_size=summary_size, normalizer=normalizer
        )
        require_positive("attention.num_heads", num_heads)
        if query_size % num_heads:
            raise RequestError(f"attention.num_heads is {num_heads}, expected a divisor of the query's {query_size}")
        self.num_heads = num_heads
        self.head_size = query_size // num_heads
        self.context_size = query_size
        self.query_projection = nn.Linear(query_size, query_size)
        self.memory_projection = nn.Linear(memory_size, 2 * query_size)

    def keys(self, memory: Tensor) -> Tensor:
        """Give U m of all heads side by side; see Attention."""
        return self.memory_projection(memory).chunk(2, dim=2)[0]

    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        """Give the heads' mean energies; see Attention."""
        queries, keys = self.split(self.query_projection(query)), self.split(keys)
        return torch.matmul(queries.to(keys.dtype), keys.transpose(2, 3)).mean(dim=1) * self.head_size**-0.5

    def prepare(self, encoded: EncoderOutput) -> Prepared:
        """Project the memory to the keys and values of all heads; see Attention."""
        projected = self.memory_projection(to_compute_type(encoded.memory))
        keys, values = (self.split(part).contiguous() for part in projected.chunk(2, dim=2))
        return PreparedHeads(keys, values, encoded.memory_mask)

    def forward(self, query: Tensor, prepared: Prepared) -> tuple[Tensor, Tensor]:
        """Attend in every head; see Attention."""
        keys, values, mask = prepared
        queries = self.split(self.query_projection(query)).to(keys.dtype)
        energies = torch.matmul(queries, keys.transpose(2, 3)) * self.head_size**-0.5
        weights = self.weigh(energies.flatten(1, 2), mask).view_as(energies)
        return torch.matmul(weights.to(values.dtype), values).transpose(1, 2).flatten(2), weights.mean(dim=1)

    def contexts(self, query: Tensor, prepared: Prepared) -> Tensor:
        """Attend without handing the weights out; see Attention."""
        if self.normalizer is not None:
            return self(query, prepared)[0]
        keys, values, mask = prepared
        queries = self.split(self.query_projection(query)).to(keys.dtype)
        found = scaled_dot_product(queries, keys, values, mask)
        return found.transpose(1, 2).flatten(2)

    def split(self, projected: Tensor) -> Tensor:
        """Give (batch, heads, length, head_size) of (batch, length, heads x head_size)."""
        return projected.unflatten(2, (self.num_heads, self.head_size)).transpose(1, 2)
