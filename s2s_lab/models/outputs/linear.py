"""The output with a projection of its own."""

from collections.abc import Callable

from torch import Tensor, nn

from s2s_lab.models.outputs.base import Output, linear_among
from s2s_lab.models.outputs.cross_entropy import linear_cross_entropy


class LinearOutput(Output):
    """scores = W features + b.

    Args:
        feature_size: width of the features.
        vocabulary_size: number of target ids.
        target_embedding: unused.
        source_vocabulary_size: unused.
        memory_size: unused.
    """

    def __init__(
        self,
        *,
        feature_size: int,
        vocabulary_size: int,
        target_embedding: nn.Module,
        source_vocabulary_size: int = 0,
        memory_size: int = 0,
    ) -> None:
        super().__init__(feature_size=feature_size, vocabulary_size=vocabulary_size)
        self.projection = nn.Linear(feature_size, vocabulary_size)

    def scores(self, features: Tensor) -> Tensor:
        """Give logits (..., vocab) of features (..., feature_size); see Output."""
        return self.projection(features)

    def scores_among(self, ids: Tensor) -> Callable[[Tensor], Tensor]:
        """Give a function of features that multiplies by the rows of `ids` alone; see Output."""
        return linear_among(self.projection.weight, self.projection.bias, ids)

    def loss(self, features: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """Give the summed cross-entropy; see Output."""
        weight, bias = self.projection.weight, self.projection.bias
        return linear_cross_entropy(features, weight, bias, targets, label_smoothing)
