"""Local attention around the position of the step, of Luong et al."""

from typing import Any

from torch import Tensor

from s2s_lab.models.attentions.base import Prepared
from s2s_lab.models.attentions.energy import EnergyFactory, build_energy
from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.attentions.stateful import StatefulAttention, zeros_over
from s2s_lab.models.attentions.windows import WindowedMemory, offsets_from, prepare_windowed
from s2s_lab.models.checks import require_positive
from s2s_lab.models.encoders.base import EncoderOutput


class LocalMonotonicAttention(StatefulAttention):
    """Step t attends to the source positions within D of t; the others weigh exactly 0.

    Paper: Luong et al. 2015, arXiv 1508.04025, section 3.2, "local-m". Deviation: from the end of the source on, the
    window stays at its last position, where the paper's would leave it.

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: unused.
        energy: builds the attention whose energies are compared.
        half_width: D, in source positions.
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
        return prepare_windowed(self, encoded)

    def initial_state(self, prepared: Prepared) -> tuple[Tensor, ...]:
        """Count no step yet: (batch,); see Attention."""
        return (zeros_over(prepared[1]),)

    def attend(self, query: Tensor, prepared: Any, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Weigh within the window of this step; see StatefulAttention."""
        position = state[0] + 1.0  # (batch, width)
        keys, _, mask, lengths = prepared
        outside = offsets_from(position.minimum(lengths), mask.shape[1]).abs() > self.half_width
        energies = self.energies(query, keys).masked_fill(outside, float("-inf"))
        return self.weigh(energies, mask), (position,)
