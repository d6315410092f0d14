"""Local attention around the position of the step, of Luong et al."""

from typing import Any

from torch import Tensor

from s2s_lab.models.attentions.base import Prepared
from s2s_lab.models.attentions.stateful import StatefulAttention, zeros_over
from s2s_lab.models.attentions.windows import WindowedAttention, offsets_from


class LocalMonotonicAttention(WindowedAttention, StatefulAttention):
    """Step t attends to the source positions within D of t; the others weigh exactly 0.

    Paper: Luong et al. 2015, arXiv 1508.04025, section 3.2 and equation 7, "local-m". Deviation: from the end of the
    source on, the window stays at its last position, where the paper's would leave it.

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: unused.
        energy: builds the attention whose energies are compared.
        half_width: D, in source positions.
        normalizer: see Attention.
    """

    ordered = True

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
