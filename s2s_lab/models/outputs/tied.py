"""The output whose projection is the target's embedding."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2s_lab.faults import RequestError
from s2s_lab.models.embeddings.base import Embedding
from s2s_lab.models.outputs.base import Output, linear_among
from s2s_lab.models.outputs.cross_entropy import linear_cross_entropy


class TiedOutput(Output):
    """scores = E features + b, E being the table of the target's embedding.

    Where source and target share one embedding, this is the paper's three-way tying.

    Paper: Press and Wolf 2017, arXiv 1608.05859. Deviation: with a bias.

    Args:
        feature_size: width of the features.
        vocabulary_size: number of target ids.
        target_embedding: the embedding that shares its table.
        source_vocabulary_size: unused.
        memory_size: unused.

    Raises:
        RequestError: features and embedding differ in width.
    """

    def __init__(
        self,
        *,
        feature_size: int,
        vocabulary_size: int,
        target_embedding: Embedding,
        source_vocabulary_size: int = 0,
        memory_size: int = 0,
    ) -> None:
        super().__init__(feature_size=feature_size, vocabulary_size=vocabulary_size)
        if target_embedding.weight.shape != (vocabulary_size, feature_size):
            raise RequestError(
                f"output=tied needs features as wide as the embedding, but the decoder gives {feature_size} and "
                f"embedding.embedding_size is {target_embedding.embedding_size}; make them equal, or take output=linear"
            )
        self.weight = target_embedding.weight
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))

    def scores(self, features: Tensor) -> Tensor:
        """Give logits (..., vocab) of features (..., feature_size); see Output."""
        return functional.linear(features, self.weight, self.bias)

    def scores_among(self, ids: Tensor) -> Callable[[Tensor], Tensor]:
        """Give a function of features that multiplies by the rows of `ids` alone; see Output."""
        return linear_among(self.weight, self.bias, ids)

    def loss(self, features: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """Give the summed cross-entropy; see Output."""
        return linear_cross_entropy(features, self.weight, self.bias, targets, label_smoothing)
