"""Windows of source positions around a centre."""

from typing import NamedTuple

import torch
from torch import Tensor

from s2s_lab.models.attentions.base import Attention, to_compute_type
from s2s_lab.models.attentions.energy import EnergyFactory, build_energy
from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.checks import require_positive
from s2s_lab.models.encoders.base import EncoderOutput


class WindowedMemory(NamedTuple):
    """What an attention with a window keeps of a batch of sources.

    Attributes:
        keys: (batch, source_len, key_size).
        memory: (batch, source_len, memory_size).
        mask: (batch, source_len) bool, True where real.
        lengths: (batch, 1), number of real positions that have energies, in float32 at least.
    """

    keys: Tensor
    memory: Tensor
    mask: Tensor
    lengths: Tensor


class WindowedAttention(Attention):
    """An attention to positions within some distance of a centre, whose energies another one gives.

    Where that one has energies of the first positions alone, the others count as if the source ended before them.

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: width of the encoder's summary.
        energy: builds the attention whose energies are compared.
        half_width: the distance, in source positions.
        normalizer: see Attention.
    """

    def __init__(
        self,
        *,
        query_size: int,
        memory_size: int,
        summary_size: int,
        energy: EnergyFactory,
        half_width: int = 10,
        normalizer: Normalizer | None = None,
    ) -> None:
        super().__init__(
            query_size=query_size, memory_size=memory_size, summary_size=summary_size, normalizer=normalizer
        )
        require_positive("attention.half_width", half_width)
        self.half_width = half_width
        self.energy = build_energy(
            energy, query_size=query_size, memory_size=memory_size, summary_size=summary_size, normalizer=normalizer
        )

    def keys(self, memory: Tensor) -> Tensor:
        """Give the energy's keys; see Attention."""
        return self.energy.keys(memory)

    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        """Give the energy's energies; see Attention."""
        return self.energy.energies(query, keys)

    def weigh(self, energies: Tensor, mask: Tensor) -> Tensor:
        """Normalise as the energy's own attention does; see Attention."""
        return self.energy.weigh(energies, mask)

    def prepare(self, encoded: EncoderOutput) -> WindowedMemory:
        """Keep the lengths too; see Attention."""
        memory = to_compute_type(encoded.memory)
        lengths = encoded.memory_mask.sum(1, keepdim=True, dtype=torch.promote_types(memory.dtype, torch.float32))
        if self.energy.reach is not None:
            lengths = lengths.clamp(max=self.energy.reach)
        return WindowedMemory(self.keys(memory), memory, encoded.memory_mask, lengths)


def offsets_from(centers: Tensor, source_len: int) -> Tensor:
    """Give the distance, with its sign, of every source position, counted from 1, from centres.

    Args:
        centers: (batch, queries), in positions.
        source_len: number of positions.

    Returns:
        (batch, queries, source_len).
    """
    positions = torch.arange(1, source_len + 1, dtype=centers.dtype, device=centers.device)
    return positions - centers.unsqueeze(2)
