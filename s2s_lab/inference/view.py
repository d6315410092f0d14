"""What decoding needs of a network, and the arithmetic that views of networks share."""

from typing import Any, Protocol

import torch
from torch import Tensor

from s2s_lab.data.vocabulary import PAD
from s2s_lab.models.seq2seq import Sources


class Network(Protocol):
    """A network, or a view of one or several, that can be decoded with."""

    def start(self, sources: Sources, /) -> tuple[Any, Any]:
        """Read the sources: memory, sentences first, and state, one row for each sentence; nested tuples of tensors."""
        ...

    def step(self, previous_ids: Tensor, state: Any, memory: Any, /) -> tuple[Tensor, Any, Tensor | None]:
        """Make one step: scores (rows, vocab), the next state, attention weights (rows, source_len) or None."""
        ...


def log_probs(scores: Tensor) -> Tensor:
    """Normalise scores (rows, vocab) to natural log-probabilities, in float32 at least."""
    dtype = torch.float64 if scores.dtype == torch.float64 else torch.float32
    return scores.log_softmax(-1, dtype=dtype)


def with_rest_on_padding(scores: Tensor) -> Tensor:
    """Make sums of log-probabilities a distribution without changing them: what is missing goes to padding.

    A strategy normalises what it gets, which would shift the scores of each step by another constant. No strategy ever
    chooses padding, so the probability that the other symbols leave over is put there.

    Args:
        scores: (rows, vocab), changed in place; the exponentials of a row's, padding left out, sum to at most 1.

    Returns:
        The same tensor.
    """
    scores[:, PAD] = -torch.inf
    taken = scores.logsumexp(-1).clamp_(max=0.0)
    smallest = torch.finfo(scores.dtype).tiny
    scores[:, PAD] = torch.log((-torch.expm1(taken)).clamp_(min=smallest))
    return scores
