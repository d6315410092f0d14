"""An attention to each of several sources, and one to what they found, of Libovicky and Helcl."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.base import Attention, AttentionState, Prepared, by_sentence, num_sentences
from s2s_lab.models.attentions.energy import EnergyFactory, replace_normalizer
from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.checks import require_positive
from s2s_lab.models.encoders.base import EncoderOutput


class HierarchicalMemory(NamedTuple):
    """What the attention keeps of a batch of sources.

    Attributes:
        parts: of each source, what its own attention keeps.
        places: (batch, source_len) int64, where each position of the joint memory lies in the parts side by side.
    """

    parts: tuple[Prepared, ...]
    places: Tensor


class HierarchicalAttention(Attention):
    """context = sum over sources k of b_k V_k c_k, b = softmax of v . tanh(W q + U_k c_k), c_k source k's own context.

    The weights handed out are b_k times those within source k, in the order of the joint memory.

    Paper: Libovicky and Helcl 2017, arXiv 1704.06567, equations 8 to 10, the hierarchical combination. Deviations: each
    source's attention may be any with weights; without biases, and without the sentinel of their experiments.

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: width of the encoder's summary.
        each: builds the attention of a source.
        num_sources: number of sources.
        attention_size: width of the sum under the tanh; None means `query_size`.
        normalizer: see Attention; of the weights of sources and of those within each.

    Raises:
        RequestError: there is one source alone, or `each` is no attention with weights.
    """

    sums_memory = False

    def __init__(
        self,
        *,
        query_size: int,
        memory_size: int,
        summary_size: int,
        each: EnergyFactory,
        num_sources: int = 1,
        attention_size: int | None = None,
        normalizer: Normalizer | None = None,
    ) -> None:
        super().__init__(
            query_size=query_size, memory_size=memory_size, summary_size=summary_size, normalizer=normalizer
        )
        if num_sources == 1:
            raise RequestError("attention=hierarchical attends to several sources, but there is 1; add sources=several")
        size = query_size if attention_size is None else attention_size
        require_positive("attention.attention_size", size)
        sizes = {"query_size": query_size, "memory_size": memory_size, "summary_size": summary_size}
        built = [self._built(each, sizes) for _ in range(num_sources)]
        self.attentions = nn.ModuleList(built)
        self.stateful = any(attention.stateful for attention in built)
        self.context_size = built[0].context_size
        self.query_projection = nn.Linear(query_size, size, bias=False)
        self.key_projections = nn.ModuleList(nn.Linear(self.context_size, size, bias=False) for _ in built)
        self.value_projections = nn.ModuleList(
            nn.Linear(self.context_size, self.context_size, bias=False) for _ in built
        )
        self.energy_projection = nn.Linear(size, 1, bias=False)

    def _built(self, each: EnergyFactory, sizes: dict[str, int]) -> Attention:
        built = each(**sizes) if callable(each) else each
        if not isinstance(built, Attention) or built.constant:
            found = type(built).__name__ if isinstance(built, Attention) else repr(built)
            raise RequestError(f"attention.each is {found}, expected an attention with weights, such as additive")
        replace_normalizer(built, self.normalizer, "attention.each")
        return built

    def keys(self, memory: Tensor) -> Tensor:
        """Give U_k c_k of contexts in place of a memory, one of each source (batch, sources, context_size)."""
        return torch.stack([of(memory[:, place]) for place, of in enumerate(self.key_projections)], 1)

    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        """Compare queries with the contexts' keys: (batch, queries, sources); see Attention."""
        return self.energy_projection(
            torch.tanh(self.query_projection(query).unsqueeze(2) + keys.unsqueeze(1))
        ).squeeze(3)

    def prepare(self, encoded: EncoderOutput) -> Prepared:
        """Prepare each source for its own attention; see Attention."""
        assert encoded.places is not None
        pairs = zip(self.attentions, encoded.parts, strict=True)
        return HierarchicalMemory(tuple(attention.prepare(part) for attention, part in pairs), encoded.places)  # type: ignore[operator]

    def forward(self, query: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        """Attend to each source, then to what they found; see Attention."""
        pairs = zip(self.attentions, prepared.parts, strict=True)
        contexts, weights = zip(*(attention(query, part) for attention, part in pairs), strict=True)
        return self._joined(query, contexts, weights, prepared.places)

    def initial_state(self, prepared: Any) -> AttentionState:
        """Give what the attentions of the sources need; see Attention."""
        pairs = zip(self.attentions, prepared.parts, strict=True)
        return tuple(attention.initial_state(part) for attention, part in pairs)  # type: ignore[operator]

    def step(self, query: Tensor, prepared: Any, state: AttentionState) -> tuple[Tensor, Tensor, AttentionState]:
        """Attend with one query for each row; see Attention."""
        triples = zip(self.attentions, prepared.parts, state, strict=True)
        found = [attention.step(query, part, own) for attention, part, own in triples]  # type: ignore[operator]
        sentences = num_sentences(prepared)
        contexts, weights = ([by_sentence(each[place], sentences) for each in found] for place in (0, 1))
        context, joined = self._joined(by_sentence(query, sentences), contexts, weights, prepared.places)
        return context.flatten(0, 1), joined.flatten(0, 1), tuple(each[2] for each in found)

    def _joined(self, query: Tensor, contexts: Any, weights: Any, places: Tensor) -> tuple[Tensor, Tensor]:
        """Join what the sources' attentions gave.

        Args:
            query: (batch, queries, query_size).
            contexts: of each source, (batch, queries, context_size).
            weights: of each source, (batch, queries, its source_len).
            places: see HierarchicalMemory.

        Returns:
            The context and the weights of `forward`.
        """
        stacked = torch.stack(tuple(contexts), 2)  # (batch, queries, sources, context_size)
        keys = self.keys(stacked.flatten(0, 1))
        energies = self.energies(query.flatten(0, 1).unsqueeze(1), keys)
        mask = torch.ones_like(energies[:, 0], dtype=torch.bool)
        shares = self.weigh(energies, mask).view(stacked.shape[:3])
        values = torch.stack([of(context) for of, context in zip(self.value_projections, contexts, strict=True)], 2)
        context = (shares.to(values.dtype).unsqueeze(3) * values).sum(2)
        side_by_side = torch.cat([shares[:, :, k, None] * within for k, within in enumerate(weights)], 2)
        return context, side_by_side.take_along_dim(places.unsqueeze(1), 2)
