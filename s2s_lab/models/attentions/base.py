"""The contract of an attention: keys once for each source, then energies, weights and context for each query."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.normalizers.base import Normalizer
from s2s_lab.models.encoders.base import EncoderOutput

Prepared = tuple[Any, ...]
AttentionState = tuple[Any, ...]


class PreparedMemory(NamedTuple):
    """What an attention keeps of a batch of sources.

    Attributes:
        keys: (batch, source_len, key_size).
        memory: (batch, source_len, memory_size).
        mask: (batch, source_len) bool, True where real.
    """

    keys: Tensor
    memory: Tensor
    mask: Tensor


class Attention(nn.Module, ABC):
    """What turns queries and a memory into contexts.

    A variant over a memory gives `keys` and `energies`; masking, normalising and summing are here.

    Args:
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: width of the encoder's summary.
        normalizer: from energies to weights; None means softmax.

    Attributes:
        context_size: width of a context.
        constant: whether the context is the same for every query.
        stateful: whether a step's weights depend on the steps before; then `step` alone attends.
        ordered: whether it takes the memory for one source in its order, and counts its positions.
        sums_memory: whether a context is the sum, by the weights, of the field `memory` of what it prepares.
        reach: how many positions from the first on have energies; None for all.

    Raises:
        RequestError: `normalizer` is none.
    """

    constant = False
    stateful = False
    ordered = False
    sums_memory = True
    reach: int | None = None

    def __init__(
        self, *, query_size: int, memory_size: int, summary_size: int, normalizer: Normalizer | None = None
    ) -> None:
        super().__init__()
        if not isinstance(normalizer, Normalizer | None):
            raise RequestError(f"attention.normalizer is {normalizer!r}, expected an option of the group normalizer")
        self.query_size = query_size
        self.memory_size = memory_size
        self.summary_size = summary_size
        self.context_size = memory_size
        self.normalizer = normalizer

    @abstractmethod
    def keys(self, memory: Tensor) -> Tensor:
        """Prepare a memory (batch, source_len, memory_size) as keys (batch, source_len, key_size)."""

    @abstractmethod
    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        """Compare every query with every key.

        Args:
            query: (batch, queries, query_size).
            keys: (batch, source_len, key_size).

        Returns:
            (batch, queries, source_len).
        """

    def prepare(self, encoded: EncoderOutput) -> Prepared:
        """Do once for each source what no query changes.

        Returns:
            A nested tuple of tensors, sentences first.
        """
        memory = to_compute_type(encoded.memory)
        return PreparedMemory(self.keys(memory), memory, encoded.memory_mask)

    def forward(self, query: Tensor, prepared: Prepared) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Args:
            query: (batch, queries, query_size).
            prepared: what `prepare` gave for these sources.

        Returns:
            The contexts (batch, queries, context_size) and the weights (batch, queries, source_len), exactly 0 on
            padding, each row summing to 1; None in place of weights where there is nothing to weigh.
        """
        keys, memory, mask = prepared
        weights = self.weigh(self.energies(query, keys), mask)
        return torch.bmm(weights.to(memory.dtype), memory), weights

    def weigh(self, energies: Tensor, mask: Tensor) -> Tensor:
        """Turn energies into weights that sum to 1 over the real positions, in float32 at least.

        Args:
            energies: (batch, queries, source_len); -inf where nothing may be attended to.
            mask: (batch, source_len) bool, True where real.
        """
        return normalise(energies, mask) if self.normalizer is None else self.normalizer(energies, mask.unsqueeze(1))

    def initialize_biases(self) -> None:
        """Set, in place, the parameters that a variant wants to start from values of its own."""

    def contexts(self, query: Tensor, prepared: Prepared) -> Tensor:
        """Give the contexts alone; a variant may spare itself the weights. See `forward`."""
        return self(query, prepared)[0]

    def initial_state(self, prepared: Prepared) -> AttentionState:
        """Give what the first step needs of the steps before: nested tuples of tensors (batch, ...), width 1."""
        return ()

    def step(
        self, query: Tensor, prepared: Prepared, state: AttentionState
    ) -> tuple[Tensor, Tensor | None, AttentionState]:
        """Attend with one query for each row: the rows of a sentence are its queries.

        Args:
            query: (rows, query_size); rows = sentences x width, sentence-major.
            prepared: what `prepare` gave, sentences first.
            state: nested tuples of tensors, rows first; empty where nothing is kept.

        Returns:
            The contexts (rows, context_size), the weights (rows, source_len) or None, and the next state.
        """
        context, weights = self(by_sentence(query, num_sentences(prepared)), prepared)
        return context.flatten(0, 1), None if weights is None else weights.flatten(0, 1), state


def normalise(energies: Tensor, mask: Tensor) -> Tensor:
    """Turn energies into weights that sum to 1 over the real positions, in float32 at least.

    Args:
        energies: (batch, queries, source_len).
        mask: (batch, source_len) bool, True where real.
    """
    dtype = torch.promote_types(energies.dtype, torch.float32)
    return energies.masked_fill(~mask.unsqueeze(1), float("-inf")).softmax(dim=2, dtype=dtype)


def to_compute_type(tensor: Tensor) -> Tensor:
    """Convert, under autocast, to its type: once, where every step would convert again."""
    if torch.is_autocast_enabled(tensor.device.type) and tensor.dtype == torch.float32:
        return tensor.to(torch.get_autocast_dtype(tensor.device.type))
    return tensor


def num_sentences(prepared: Prepared) -> int:
    """Give the number of sentences in what an attention prepared."""
    first = prepared[0]
    return num_sentences(first) if isinstance(first, tuple) else first.shape[0]


def by_sentence(tensor: Tensor, sentences: int) -> Tensor:
    """View rows (rows, ...) as those of each sentence (sentences, width, ...)."""
    return tensor.view(sentences, tensor.shape[0] // sentences if sentences else 1, *tensor.shape[1:])


def require_equal_widths(option: str, query_size: int, memory_size: int) -> None:
    """Raise a RequestError unless queries and memory entries are equally wide."""
    if query_size != memory_size:
        raise RequestError(
            f"attention={option} needs equal widths, but decoder.hidden_size is {query_size} and the encoder's memory "
            f"{memory_size} wide; make them equal, or take attention=general"
        )
