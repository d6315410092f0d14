"""What crosses the border of a search: the step function that it calls and what is asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from s2s_lab.decoding.trace import Trace

Phrase = tuple[int, ...]


class StepFunction(Protocol):
    """One step of any network (or of anything else that gives scores to the next symbol)."""

    def __call__(self, previous_ids: Tensor, state: Any, memory: Any, /) -> tuple[Tensor, Any, Tensor | None]:
        """Advances every row by one symbol.

        Args:
            previous_ids: (rows,) int64, bos at first; rows = sentences x width, sentence-major.
            state: nested tuples of tensors (rows, ...).
            memory: nested tuples of tensors (sentences, ...), never repeated for the width.

        Returns:
            scores (rows, vocab), logits or log-probabilities, not changed by the caller; the next state;
            attention weights (rows, source_len) or None.
        """
        ...


@dataclass(frozen=True)
class Demands:
    """What the outputs of single sentences must hold, in ids without bos and eos; None where nothing is asked.

    Attributes:
        targets: for each sentence the whole output, for forced decoding.
        prefixes: for each sentence what its outputs begin with.
        required: for each sentence the phrases that its outputs contain.
        forbidden: for each sentence the phrases that its outputs do not contain.
    """

    targets: Sequence[Phrase] | None = None
    prefixes: Sequence[Phrase] | None = None
    required: Sequence[Sequence[Phrase]] | None = None
    forbidden: Sequence[Sequence[Phrase]] | None = None

    def named(self) -> tuple[str, ...]:
        """Returns the names of what is asked for."""
        return tuple(name for name, value in vars(self).items() if value is not None)

    def of(self, sentences: Sequence[int]) -> Demands:
        """Returns the demands of some sentences, in that order."""
        chosen = {
            name: None if value is None else tuple(value[sentence] for sentence in sentences)
            for name, value in vars(self).items()
        }
        return Demands(**chosen)


class Task(NamedTuple):
    """What is asked of the search of one batch.

    Attributes:
        limits: (batch,) int64, the most steps of each sentence, at least 1.
        sentence_index: (batch,) int64, the sentence's place in its split; seeds its noise.
        weights: whether to keep the attention weights.
        exact: whether every hypothesis takes exactly as many steps as its sentence's limit.
        demands: of the batch's sentences, in its order.
        source_lengths: (batch,) int64, in source symbols, as `decode` was given them; None where nobody gave them.
        trace: is told the search; None for no account of it.
    """

    limits: Tensor
    sentence_index: Tensor
    weights: bool = False
    exact: bool = False
    demands: Demands = Demands()
    source_lengths: Tensor | None = None
    trace: Trace | None = None


def symbols_for(ratio: float, source_lengths: Tensor) -> Tensor:
    """Gives the fewest symbols that are at least `ratio` for each source symbol.

    A product that rounding lifts above a whole number, as 1.1 x 50, counts as that number.

    Args:
        ratio: above 0.
        source_lengths: (batch,) int64.

    Returns:
        (batch,) int64.
    """
    return torch.ceil(ratio * source_lengths.double() - 1e-9).long()
