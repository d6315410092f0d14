"""Concat attention, of Luong et al."""

from torch import Tensor, nn

from s2s_lab.models.attentions.base import Attention
from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.attentions.tanh_energies import tanh_energies, tanh_keys
from s2s_lab.models.checks import require_above_zero, require_positive


class ConcatAttention(Attention):
    """energy(q, m) = beta v . tanh(W [q; m]), or with `linear` beta a . [q; m].

    W is kept as the halves that meet q and m. What is linear adds the same number a_q . q to the energies of all
    positions, which softmax, sparsemax and entmax take away again: its weights do not depend on the query, and every
    step gets the same context. It is here because texts print it.

    Paper: Luong et al. 2015, arXiv 1508.04025, section 3.1, below equation 7, "concat".

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: unused.
        attention_size: width of what is under the tanh; None means `query_size`. Unused with `linear`.
        inverse_temperature: beta; above 1 sharpens the weights.
        linear: whether tanh and v are left out.
        normalise_twice: whether what is normalised is normalised again, as some texts write it: weights that sum to
            1 already become energies, between 0 and 1, so that softmax leaves no weight above e times another.
        normalizer: see Attention.

    Raises:
        RequestError: `inverse_temperature` is not above 0.
    """

    def __init__(
        self,
        *,
        query_size: int,
        memory_size: int,
        summary_size: int,
        attention_size: int | None = None,
        inverse_temperature: float = 1.0,
        linear: bool = False,
        normalise_twice: bool = False,
        normalizer: Normalizer | None = None,
    ) -> None:
        super().__init__(
            query_size=query_size, memory_size=memory_size, summary_size=summary_size, normalizer=normalizer
        )
        require_above_zero("attention.inverse_temperature", inverse_temperature)
        size = query_size if attention_size is None else attention_size
        require_positive("attention.attention_size", size)
        self.inverse_temperature = inverse_temperature
        self.linear = linear
        self.normalise_twice = normalise_twice
        self.query_projection = nn.Linear(query_size, 1 if linear else size, bias=False)
        self.memory_projection = nn.Linear(memory_size, 1 if linear else size, bias=False)
        self.energy_projection = None if linear else nn.Linear(size, 1, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        """Give the half of W [q; m] that m gives, as `tanh_energies` wants it where there is a tanh; see Attention."""
        projected = self.memory_projection(memory)
        return projected if self.linear else tanh_keys(projected)

    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        """Give beta v . tanh(W [q; m]), or beta a . [q; m]; see Attention."""
        projected = self.query_projection(query)
        if self.energy_projection is None:
            return self.inverse_temperature * (projected + keys.transpose(1, 2))
        return tanh_energies(projected, keys, self.inverse_temperature * self.energy_projection.weight)

    def weigh(self, energies: Tensor, mask: Tensor) -> Tensor:
        """Normalise, once or twice; see Attention."""
        weights = super().weigh(energies, mask)
        if not self.normalise_twice:
            return weights
        return super().weigh(weights.masked_fill(energies.isneginf(), float("-inf")), mask)
