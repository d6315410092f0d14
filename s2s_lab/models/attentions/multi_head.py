"""Several attentions side by side, each over its own projections, of Vaswani et al."""

from typing import Any

from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.base import (
    Attention,
    AttentionState,
    Prepared,
    by_sentence,
    num_sentences,
    to_compute_type,
)
from s2s_lab.models.attentions.energy import EnergyFactory, build_head
from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.checks import require_positive
from s2s_lab.models.encoders.base import EncoderOutput
from s2s_lab.nested import map_leaves


class MultiHeadAttention(Attention):
    """context = W_o [heads], head i attending with W_q q over keys W_k m and values W_v m of its own.

    A head is an attention to whom each sentence is one of its own: it may be any that sums a memory by its weights,
    one with a state too. All heads share its parameters. The weights handed out are the mean of the heads'.

    Paper: Vaswani et al. 2017, arXiv 1706.03762, section 3.2.2, whose energy is scaled_dot.

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: unused.
        energy: builds the attention that a head is, over vectors of the head's width.
        num_heads: number of heads.
        head_size: width of a head; None means `query_size` / `num_heads`.
        normalizer: see Attention.

    Raises:
        RequestError: `num_heads` does not divide `query_size`, and there is no `head_size`; or `energy` sums no memory.
    """

    sums_memory = False

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
        self.energy = build_head(
            energy, query_size=size, memory_size=size, summary_size=summary_size, normalizer=normalizer
        )
        self.query_projection = nn.Linear(query_size, num_heads * size, bias=False)
        self.key_projection = nn.Linear(memory_size, num_heads * size, bias=False)
        self.value_projection = nn.Linear(memory_size, num_heads * size, bias=False)
        self.output_projection = nn.Linear(num_heads * size, memory_size, bias=False)

        self.stateful, self.ordered = self.energy.stateful, self.energy.ordered

    def keys(self, memory: Tensor) -> Tensor:
        """Give the keys of all heads (batch, heads, source_len, key_size)."""
        return self._apart(self.energy.keys(self._split(self.key_projection(memory)).flatten(0, 1)))

    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        """Give the energies of all heads (batch, heads, queries, source_len), those of the first step."""
        queries = self._split(self.query_projection(query)).flatten(0, 1)
        return self._apart(self.energy.energies(queries, keys.flatten(0, 1)))

    def prepare(self, encoded: EncoderOutput) -> Prepared:
        """Prepare each head's keys, and its values in place of a memory: tensors (batch, heads, ...); see Attention."""
        memory, heads = to_compute_type(encoded.memory), self.heads[0]
        keys, values = (
            self._split(projection(memory)).flatten(0, 1) for projection in (self.key_projection, self.value_projection)
        )
        of_heads = EncoderOutput(
            keys, encoded.memory_mask.repeat_interleave(heads, 0), (), encoded.summary.repeat_interleave(heads, 0)
        )
        prepared: Any = self.energy.prepare(of_heads)
        return map_leaves(self._apart, prepared._replace(memory=values))

    def forward(self, query: Tensor, prepared: Prepared) -> tuple[Tensor, Tensor | None]:
        """Attend with every head; see Attention."""
        queries = self._split(self.query_projection(query)).flatten(0, 1)
        contexts, weights = self.energy(queries, map_leaves(_together, prepared))
        return self._joined(contexts), self._apart(weights).mean(dim=1)

    def initial_state(self, prepared: Prepared) -> AttentionState:
        """Give what the heads need: tensors (batch, heads, ...); see Attention."""
        return map_leaves(self._apart, self.energy.initial_state(map_leaves(_together, prepared)))

    def step(
        self, query: Tensor, prepared: Prepared, state: AttentionState
    ) -> tuple[Tensor, Tensor | None, AttentionState]:
        """Attend with one query for each row; what the state holds is (rows, heads, ...); see Attention."""
        sentences = num_sentences(prepared)

        def heads_first(rows: Tensor) -> Tensor:
            """Give (sentences x heads x width, ...) of (rows, heads, ...)."""
            return by_sentence(rows, sentences).transpose(1, 2).flatten(0, 2)

        def rows_first(flat: Tensor) -> Tensor:
            """Give (rows, heads, ...) of (sentences x heads x width, ...)."""
            width = query.shape[0] // sentences if sentences else 1
            return flat.unflatten(0, (sentences, self.heads[0], width)).transpose(1, 2).flatten(0, 1)

        queries = heads_first(self.query_projection(query).unflatten(1, self.heads))
        context, weights, following = self.energy.step(
            queries, map_leaves(_together, prepared), map_leaves(heads_first, state)
        )
        assert weights is not None
        joined = self.output_projection(rows_first(context).flatten(1))
        return joined, rows_first(weights).mean(dim=1), map_leaves(rows_first, following)

    def _joined(self, contexts: Tensor) -> Tensor:
        """Give (batch, queries, memory_size) of the heads' contexts (batch x heads, queries, head_size)."""
        return self.output_projection(self._apart(contexts).transpose(1, 2).flatten(2))

    def _split(self, projected: Tensor) -> Tensor:
        """Split (batch, length, heads x head_size) into (batch, heads, length, head_size)."""
        return projected.unflatten(2, self.heads).transpose(1, 2)

    def _apart(self, flat: Tensor) -> Tensor:
        """Give (batch, heads, ...) of (batch x heads, ...)."""
        return flat.unflatten(0, (flat.shape[0] // self.heads[0], self.heads[0]))


def _together(tensor: Tensor) -> Tensor:
    """Give (batch x heads, ...) of (batch, heads, ...)."""
    return tensor.flatten(0, 1)
