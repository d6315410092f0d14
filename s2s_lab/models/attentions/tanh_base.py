"""What attentions with the energy of Bahdanau et al. have in common."""

from torch import Tensor, nn

from s2s_lab.models.attentions.base import Attention
from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.attentions.tanh_energies import tanh_energies, tanh_keys
from s2s_lab.models.checks import require_positive


class TanhAttention(Attention):
    """energy(q, m) = v . tanh(W q + U m + b).

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: width of the encoder's summary.
        attention_size: width of the sum under the tanh; None means `query_size`.
        bias: whether there is a b.
        feature_size: width of what a variant puts into the sum besides, by a projection P; None: nothing.
        normalizer: see Attention.
    """

    def __init__(
        self,
        *,
        query_size: int,
        memory_size: int,
        summary_size: int,
        attention_size: int | None = None,
        bias: bool,
        feature_size: int | None = None,
        normalizer: Normalizer | None = None,
    ) -> None:
        super().__init__(
            query_size=query_size, memory_size=memory_size, summary_size=summary_size, normalizer=normalizer
        )
        size = query_size if attention_size is None else attention_size
        require_positive("attention.attention_size", size)
        self.query_projection = nn.Linear(query_size, size, bias=False)
        self.memory_projection = nn.Linear(memory_size, size, bias=bias)
        if feature_size is not None:
            self.feature_projection = nn.Linear(feature_size, size, bias=False)
        self.energy_projection = nn.Linear(size, 1, bias=False)

    def direction(self) -> Tensor:
        """Give v (1, size)."""
        return self.energy_projection.weight

    def keys(self, memory: Tensor) -> Tensor:
        """Give U m + b, as `tanh_energies` wants it; see Attention."""
        return tanh_keys(self.memory_projection(memory))

    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        """Give v . tanh(W q + U m + b); see Attention."""
        return tanh_energies(self.query_projection(query), keys, self.direction())
