"""The output that knows the translations of the source words it attends to."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.checks import require_choice, require_positive
from s2s_lab.models.encoders.base import EncoderOutput
from s2s_lab.models.outputs.base import (
    Output,
    check_positions,
    cross_entropy,
    id_fault,
    linear_among,
    log_mixture,
    sum_by_id,
)


class LexiconRows(NamedTuple):
    """The lexicon's entries for a batch of sources.

    Attributes:
        ids: (batch, source_len x translations) int64, target ids.
        probabilities: (batch, source_len, translations), 0 where there is no entry.
    """

    ids: Tensor
    probabilities: Tensor


class LexiconPriorOutput(Output):
    """A softmax that an attention-weighted translation lexicon has a say in.

    With the weights a_i of the source words f_i, l(e) = sum_i a_i p(e | f_i). "bias": softmax(W features + b +
    log(l + epsilon)); "linear": g l + (1 - g) softmax(W features + b), g = sigmoid of a learned number.

    Paper: Arthur, Neubig and Nakamura 2016, arXiv 1606.02006, sections 3.1, 3.2.1 ("bias") and 3.2.2 ("linear").
    Deviations: the lexicon is IBM model 1 of the training pairs in one direction; of each source word the most probable
    translations alone count, with their probabilities as they are; the end of the source translates into the end of
    the target.

    Args:
        feature_size: width of the features.
        vocabulary_size: number of target ids.
        target_embedding: unused.
        source_vocabulary_size: number of source ids.
        memory_size: unused.
        way: "bias" or "linear".
        epsilon: what every word's l gets in "bias"; the smaller, the stronger the lexicon. Above 0.
        translations: entries of each source word.

    Raises:
        RequestError: a setting is none of these.
    """

    reads_source = True
    reads_weights = True
    learned = ("lexicon",)

    def __init__(
        self,
        *,
        feature_size: int,
        vocabulary_size: int,
        target_embedding: nn.Module,
        source_vocabulary_size: int,
        memory_size: int = 0,
        way: str = "bias",
        epsilon: float = 0.001,
        translations: int = 32,
    ) -> None:
        super().__init__(feature_size=feature_size, vocabulary_size=vocabulary_size)
        require_choice("output.way", way, ("bias", "linear"))
        if isinstance(epsilon, bool) or not isinstance(epsilon, int | float) or not 0.0 < epsilon < math.inf:
            raise RequestError(f"output.epsilon is {epsilon!r}, expected a number above 0")
        require_positive("output.translations", translations)
        self.way = way
        self.epsilon = epsilon
        self.projection = nn.Linear(feature_size, vocabulary_size)
        self.mixing = nn.Parameter(torch.zeros(1)) if way == "linear" else None
        shape = (source_vocabulary_size, translations)
        self.lexicon_ids: Tensor
        self.register_buffer("lexicon_ids", torch.zeros(shape, dtype=torch.int64))
        self.lexicon_probabilities: Tensor
        self.register_buffer("lexicon_probabilities", torch.zeros(shape))

    def fault(self) -> str | None:
        """Say whether the lexicon holds ids beyond the vocabulary; see Output."""
        return id_fault("output.lexicon_ids", self.lexicon_ids, self.vocabulary_size)

    def prepare(self, source: Tensor, encoded: EncoderOutput) -> LexiconRows:
        """Look the source words up; see Output."""
        return LexiconRows(self.lexicon_ids[source].flatten(1), self.lexicon_probabilities[source])

    def read(self, features: Tensor, weights: Tensor | None, prepared: LexiconRows) -> Tensor:
        """Put l (batch, positions, vocab) beside the features; see Output."""
        assert weights is not None
        check_positions("lexicon_prior", prepared.probabilities.shape[1], weights.shape[2])
        shares = weights.unsqueeze(3) * prepared.probabilities.unsqueeze(1)
        return torch.cat((features, sum_by_id(shares.flatten(2), prepared.ids, self.vocabulary_size)), dim=2)

    def scores(self, features: Tensor) -> Tensor:
        """Give logits, or log-probabilities in "linear", (..., vocab); see Output."""
        plain, prior = self._apart(features)
        return self._joined(self.projection(plain), prior)

    def scores_among(self, ids: Tensor) -> Callable[[Tensor], Tensor]:
        """Give a function of features that multiplies by the rows of `ids` alone in "bias"; see Output."""
        if self.mixing is not None:  # a mixture of probabilities needs the softmax over the whole vocabulary
            return super().scores_among(ids)
        product = linear_among(self.projection.weight, self.projection.bias, ids)

        def among(features: Tensor) -> Tensor:
            plain, prior = self._apart(features)
            return self._joined(product(plain), prior.index_select(-1, ids))

        return among

    def loss(self, features: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
        """Give the summed cross-entropy; see Output."""
        return cross_entropy(self.scores(features), targets, label_smoothing)

    def _apart(self, features: Tensor) -> tuple[Tensor, Tensor]:
        plain, prior = features.split((self.feature_size, self.vocabulary_size), dim=-1)
        return plain.to(self.projection.weight.dtype), prior

    def _joined(self, logits: Tensor, prior: Tensor) -> Tensor:
        logits = logits.to(torch.promote_types(logits.dtype, prior.dtype))
        if self.mixing is None:
            return logits + (prior + self.epsilon).log()
        return log_mixture(logits.log_softmax(dim=-1), prior, self.mixing)
