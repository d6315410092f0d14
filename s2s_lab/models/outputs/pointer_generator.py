"""The output that generates a word or points at one of the source."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from s2s_lab.models.encoders.base import EncoderOutput
from s2s_lab.models.outputs.base import check_positions, cross_entropy, log_mixture
from s2s_lab.models.outputs.copying_base import CopyingOutput, sums_of, target_and_total


class CopiedIds(NamedTuple):
    """What the words of a batch of sources are in the target vocabulary.

    Attributes:
        ids: (batch, source_len) int64; vocabulary size + j for the j-th unknown word of the batch.
        words: (batch, unknown words of the batch) int64, the numbers of these words, each row the same.
    """

    ids: Tensor
    words: Tensor


class PointerGeneratorOutput(CopyingOutput):
    """P(w) = g softmax(W features + b)_w + (1 - g) sum of the attention's weights on source words equal to w.

    Words that no vocabulary holds are copied as CopyingOutput says.

    Paper: See, Liu and Manning 2017, arXiv 1704.04368, equations 8 and 9. Deviations: g = sigmoid(w features + b)
    reads the features, which are made of context, state and input, where equation 8 reads these themselves; in
    training, copying any unknown word is right where the reference has one.

    Args:
        feature_size: width of the features.
        vocabulary_size: number of target ids.
        target_embedding: unused.
        source_vocabulary_size: number of source ids.
        memory_size: unused.
        unknown_id: of unknown words, on both sides.
    """

    reads_weights = True

    def __init__(
        self,
        *,
        feature_size: int,
        vocabulary_size: int,
        target_embedding: nn.Module,
        source_vocabulary_size: int,
        memory_size: int = 0,
        unknown_id: int = 1,
    ) -> None:
        super().__init__(
            feature_size=feature_size,
            vocabulary_size=vocabulary_size,
            source_vocabulary_size=source_vocabulary_size,
            unknown_id=unknown_id,
        )
        self.projection = nn.Linear(feature_size, vocabulary_size)
        self.gate = nn.Linear(feature_size, 1)

    def prepare(self, source: Tensor, encoded: EncoderOutput) -> CopiedIds:
        """Look the source words up in the target vocabulary; see Output."""
        return CopiedIds(*self.target_ids(source))

    def read(self, features: Tensor, weights: Tensor | None, prepared: CopiedIds) -> Tensor:
        """Put the probabilities of copying, as CopyingOutput lays them out, beside the features; see Output.

        They are shares of the weights, whose sum not every attention makes 1.
        """
        assert weights is not None
        check_positions("pointer_generator", prepared.ids.shape[1], weights.shape[2])
        shares = weights / weights.sum(2, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
        return torch.cat((features, self.by_word(shares, prepared.ids, prepared.words.shape[1])), dim=2)

    def scores(self, features: Tensor) -> Tensor:
        """Give log-probabilities (..., vocab + unknown words of the batch); see Output."""
        plain, by_word = self._split(features)
        copied = self.sums(by_word)
        logits = self.projection(plain)
        dtype = torch.promote_types(logits.dtype, copied.dtype)
        words = copied.shape[-1] - self.vocabulary_size
        generated = functional.pad(logits.log_softmax(dim=-1, dtype=dtype), (0, words), value=float("-inf"))
        return log_mixture(generated, copied, -self.gate(plain).to(dtype))

    def loss(self, features: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """Give the summed cross-entropy; in training, without smoothing, from the targets' shares alone; see Output."""
        if label_smoothing or not self.training:
            return cross_entropy(self.scores(features), targets, label_smoothing)
        plain, by_word = self._split(features)
        right, total = target_and_total(self.projection(plain), targets)
        gate = -self.gate(plain).squeeze(1).to(total.dtype)
        nll = -log_mixture(right - total, sums_of(by_word, targets), gate).sum()
        return nll, nll.detach()

    def _split(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Give the decoder's features, in the weights' type, and what `read` put beside them."""
        plain, by_word = features.split((self.feature_size, features.shape[-1] - self.feature_size), dim=-1)
        return plain.to(self.projection.weight.dtype), by_word
