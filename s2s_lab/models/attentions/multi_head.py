"""Several attentions side by side, each over its own projections, of Vaswani et al."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.base import Attention, to_compute_type
from s2s_lab.models.attentions.energy import EnergyFactory, build_energy
from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.checks import require_positive
from s2s_lab.models.encoders.base import EncoderOutput


class HeadsMemory(NamedTuple):
    """What the heads keep of a batch of sources.

    Attributes:
        keys: (batch, heads, source_len, key_size).
        values: (batch, heads, source_len, head_size).
        mask: (batch, source_len) bool, True where real.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor


class MultiHeadAttention(Attention):
    """context = W_o [heads], head i attending with W_q q over keys W_k m and values W_v m of its own.

    The weights handed out are the mean of the heads'. Parameters of the energy itself serve all heads.

    Paper: Vaswani et al. 2017, arXiv 1706.03762, section 3.2.2, whose energy is scaled_dot; here it may be any.

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: unused.
        energy: builds the attention whose energies the heads compare.
        num_heads: number of heads.
        head_size: width of a head; None means `query_size` / `num_heads`.
        normalizer: see Attention.

    Raises:
        RequestError: `num_heads` does not divide `query_size`, and there is no `head_size`.
    """

    def __init__(
        self,
        *,
        query_size: int,
        memory_size: int,
        summary_size: int,
        energy: EnergyFactory,
        num_heads: int = 8,
        head_size: int | None = None,
        normalizer: Normalizer | None = None,
    ) -> None:
        super().__init__(
            query_size=query_size, memory_size=memory_size, summary_size=summary_size, normalizer=normalizer
        )
        require_positive("attention.num_heads", num_heads)
        if head_size is None and query_size % num_heads:
            raise RequestError(
                f"attention.num_heads is {num_heads}, expected a divisor of decoder.hidden_size, {query_size}; or set "
                f"attention.head_size"
            )
        size = query_size // num_heads if head_size is None else head_size
        require_positive("attention.head_size", size)
        self.heads = (num_heads, size)
        self.energy = build_energy(
            energy, query_size=size, memory_size=size, summary_size=summary_size, normalizer=normalizer
        )
        self.query_projection = nn.Linear(query_size, num_heads * size, bias=False)
        self.key_projection = nn.Linear(memory_size, num_heads * size, bias=False)
        self.value_projection = nn.Linear(memory_size, num_heads * size, bias=False)
        self.output_projection = nn.Linear(num_heads * size, memory_size, bias=False)

    @property
    def ordered(self) -> bool:  # type: ignore[override]
        """As the heads' energies are; see Attention."""
        return self.energy.ordered

    def keys(self, memory: Tensor) -> Tensor:
        """Give the keys of all heads (batch, heads, source_len, key_size)."""
        projected = self.split(self.key_projection(memory))
        return self.energy.keys(projected.flatten(0, 1)).unflatten(0, projected.shape[:2])

    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        """Give the energies of all heads (batch, heads, queries, source_len)."""
        queries = self.split(self.query_projection(query))
        return self.energy.energies(queries.flatten(0, 1), keys.flatten(0, 1)).unflatten(0, queries.shape[:2])

    def weigh(self, energies: Tensor, mask: Tensor) -> Tensor:
        """Normalise as the energy's own attention does; see Attention."""
        return self.energy.weigh(energies, mask)

    def prepare(self, encoded: EncoderOutput) -> HeadsMemory:
        """Keep keys and values of all heads; see Attention."""
        memory = to_compute_type(encoded.memory)
        values = self.split(self.value_projection(memory)).contiguous()
        return HeadsMemory(self.keys(memory), values, encoded.memory_mask)

    def forward(self, query: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        """Attend with every head; see Attention."""
        keys, values, mask = prepared
        energies = self.energies(query, keys)
        weights = self.weigh(energies.flatten(1, 2), mask).view(energies.shape)
        contexts = torch.matmul(weights.to(values.dtype), values)  # (batch, heads, queries, head_size)
        return self.output_projection(contexts.transpose(1, 2).flatten(2)), weights.mean(dim=1)

    def split(self, projected: Tensor) -> Tensor:
        """Split (batch, length, heads x head_size) into (batch, heads, length, head_size)."""
        return projected.unflatten(2, self.heads).transpose(1, 2)
