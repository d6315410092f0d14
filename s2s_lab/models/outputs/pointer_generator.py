"""The output that generates a word or points at one of the source."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from s2s_lab.models.encoders.base import EncoderOutput
from s2s_lab.models.outputs.base import Output, check_positions, cross_entropy, id_fault, log_mixture, sum_by_id


class CopiedIds(NamedTuple):
    """What the words of a batch of sources are in the target vocabulary.

    Attributes:
        ids: (batch, source_len) int64.
    """

    ids: Tensor


class PointerGeneratorOutput(Output):
    """P(w) = g softmax(W features + b)_w + (1 - g) sum of the attention's weights on source words equal to w.

    A source word that the target vocabulary lacks counts as unk.

    Paper: See, Liu and Manning 2017, arXiv 1704.04368, equations 8 and 9. Deviation: g = sigmoid(w features + b)
    reads the features, which are made of context, state and input, where equation 8 reads these themselves.

    Args:
        feature_size: width of the features.
        vocabulary_size: number of target ids.
        target_embedding: unused.
        source_vocabulary_size: number of source ids.
        memory_size: unused.
    """

    reads_source = True
    reads_weights = True
    learned = ("matches",)

    def __init__(
        self,
        *,
        feature_size: int,
        vocabulary_size: int,
        target_embedding: nn.Module,
        source_vocabulary_size: int,
        memory_size: int = 0,
    ) -> None:
        super().__init__(feature_size=feature_size, vocabulary_size=vocabulary_size)
        self.projection = nn.Linear(feature_size, vocabulary_size)
        self.gate = nn.Linear(feature_size, 1)
        self.matches: Tensor
        self.register_buffer("matches", torch.zeros(source_vocabulary_size, dtype=torch.int64))

    def fault(self) -> str | None:
        """Say whether a source word matches an id beyond the vocabulary; see Output."""
        return id_fault("output.matches", self.matches, self.vocabulary_size)

    def prepare(self, source: Tensor, encoded: EncoderOutput) -> CopiedIds:
        """Look the source words up in the target vocabulary; see Output."""
        return CopiedIds(self.matches[source])

    def read(self, features: Tensor, weights: Tensor | None, prepared: CopiedIds) -> Tensor:
        """Put the probabilities of copying (batch, positions, vocab) beside the features; see Output."""
        assert weights is not None
        check_positions("pointer_generator", prepared.ids.shape[1], weights.shape[2])
        return torch.cat((features, sum_by_id(weights, prepared.ids, self.vocabulary_size)), dim=2)

    def scores(self, features: Tensor) -> Tensor:
        """Give log-probabilities (..., vocab); see Output."""
        plain, copied = features.split((self.feature_size, self.vocabulary_size), dim=-1)
        plain = plain.to(self.projection.weight.dtype)
        logits = self.projection(plain)
        dtype = torch.promote_types(logits.dtype, copied.dtype)
        return log_mixture(logits.log_softmax(dim=-1, dtype=dtype), copied, -self.gate(plain).to(dtype))

    def loss(self, features: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """Give the summed cross-entropy; see Output."""
        return cross_entropy(self.scores(features), targets, label_smoothing)
