"""Location-based attention, of Luong et al."""

from torch import Tensor, nn
from torch.nn import functional

from s2s_lab.models.attentions.base import Attention
from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.checks import require_positive


class LocationAttention(Attention):
    """energies(q) = W q, one for each source position: from the query alone.

    Of a source longer than `max_length` only the first `max_length` positions are attended to; the others weigh
    exactly 0.

    Paper: Luong et al. 2015, arXiv 1508.04025, section 3.1, equation 8, "location". Deviation: of a short source, the
    weights of its own positions sum to 1, where the paper takes the first ones of a softmax over all.

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: unused.
        max_length: number of positions that have energies, in tokens.
        normalizer: see Attention.
    """

    ordered = True

    def __init__(
        self,
        *,
        query_size: int,
        memory_size: int,
        summary_size: int,
        max_length: int,
        normalizer: Normalizer | None = None,
    ) -> None:
        super().__init__(
            query_size=query_size, memory_size=memory_size, summary_size=summary_size, normalizer=normalizer
        )
        require_positive("attention.max_length", max_length)
        self.reach = max_length
        self.energy_projection = nn.Linear(query_size, max_length, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        """Give keys of no width, as long as the memory: there is nothing to compare; see Attention."""
        return memory[:, :, :0]

    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        """Give W q, -inf beyond `max_length`; see Attention."""
        source_len = keys.shape[1]
        energies = self.energy_projection(query)[:, :, :source_len]
        return functional.pad(energies, (0, source_len - energies.shape[2]), value=float("-inf"))
