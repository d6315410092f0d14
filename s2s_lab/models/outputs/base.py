"""The contract of an output: from features to scores over the vocabulary, and their loss."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


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

    def log_probs(self, features: Tensor) -> Tensor:
        """Give log-probabilities (natural log) (..., vocab) of features (..., feature_size), in float32 at least."""
        scores = self.scores(features)
        return torch.log_softmax(scores, dim=-1, dtype=torch.promote_types(scores.dtype, torch.float32))
