"""The contract of an output: from features to scores over the vocabulary, and their loss."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class Output(nn.Module, ABC):
    """What turns features into a distribution over the vocabulary.

    Args:
        feature_size: width of the features.
        vocabulary_size: number of target ids.
    """

    def __init__(self, *, feature_size: int, vocabulary_size: int) -> None:
        super().__init__()
        self.feature_size = feature_size
        self.vocabulary_size = vocabulary_size

    @abstractmethod
    def scores(self, features: Tensor) -> Tensor:
        """Give unnormalised scores (logits) or log-probabilities, in the products' type.

        Args:
            features: (..., feature_size).

        Returns:
            (..., vocab).
        """

    @abstractmethod
    def loss(self, features: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """Give the cross-entropy, summed over tokens, in nats.

        Args:
            features: (tokens, feature_size), of real positions alone.
            targets: (tokens,), the right ids.
            label_smoothing: share of the target distribution spread evenly over the vocabulary.

        Returns:
            Two scalars: the loss against the smoothed targets, to be minimised, and the negative log-likelihood of
            the targets, which carries no gradient.
        """

    def scores_among(self, ids: Tensor) -> Callable[[Tensor], Tensor]:
        """Give a function that gives the scores of some ids alone; a variant may spare it the others.

        Args:
            ids: (candidates,) int64.

        Returns:
            From features (..., feature_size) to (..., candidates), the columns `ids` of `scores`.
        """
        return lambda features: self.scores(features).index_select(-1, ids)

    def log_probs(self, features: Tensor) -> Tensor:
        """Give log-probabilities (natural log) (..., vocab) of features (..., feature_size), in float32 at least."""
        scores = self.scores(features)
        return torch.log_softmax(scores, dim=-1, dtype=torch.promote_types(scores.dtype, torch.float32))


def linear_among(weight: Tensor, bias: Tensor | None, ids: Tensor) -> Callable[[Tensor], Tensor]:
    """Give a function that multiplies by some rows of a weight alone.

    Args:
        weight: (vocab, feature_size); its rows are taken by `index_select`, once.
        bias: (vocab,) or None.
        ids: (candidates,) int64, rows.

    Returns:
        From features (..., feature_size) to (..., candidates).
    """
    rows = weight.index_select(0, ids)
    of_rows = None if bias is None else bias.index_select(0, ids)
    return lambda features: functional.linear(features, rows, of_rows)
