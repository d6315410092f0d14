"""The perplexity that a model gives to the references."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import Aggregate, Score, signature_fields, signature_kind


class Perplexity(Aggregate):
    """exp(-summed log-probability / tokens); the geometric mean of 1 / probability of a token, eos included.

    Perplexities of different vocabularies cannot be compared: hand in what tells vocabularies apart.

    Args:
        vocabulary: Digest of the target vocabulary, without "|" or ":"; part of the signature.
        name: What the score is called in tables.
    """

    kind = "perplexity"
    higher_is_better = False

    def __init__(self, *, vocabulary: str = "unknown", name: str = "perplexity") -> None:
        self.vocabulary = vocabulary
        self.name = name

    def score(self, log_prob_sums: Sequence[float] | np.ndarray, token_counts: Sequence[int] | np.ndarray) -> Score:
        """Score the references of a corpus.

        Args:
            log_prob_sums: (sentences,) natural log, summed over the tokens of each reference, eos included.
            token_counts: (sentences,) number of those tokens.

        Raises:
            RequestError: No sentence, unequal counts, or a sentence without tokens.
        """
        log_probs = np.asarray(log_prob_sums, dtype=np.float64)
        tokens = np.asarray(token_counts, dtype=np.float64)
        if log_probs.shape != tokens.shape or log_probs.ndim != 1:
            raise RequestError(
                f"{self.name}: log-probabilities of shape {log_probs.shape} but token counts of shape {tokens.shape};"
                " expected one of each for each sentence"
            )
        if tokens.size == 0:
            raise RequestError(f"{self.name}: no sentence to score; expected at least one")
        if (tokens <= 0).any():
            raise RequestError(f"{self.name}: sentence {int(np.argmax(tokens <= 0)) + 1} has no token; expected an eos")
        statistics = np.stack([log_probs, tokens], axis=1)
        value = float(self.aggregate(statistics.sum(axis=0)))
        return Score(self.name, value, self.signature(), statistics, self.higher_is_better)

    def aggregate(self, summed: np.ndarray) -> np.ndarray:
        """See Aggregate; infinite when beyond float64."""
        with np.errstate(over="ignore"):
            return np.exp(-summed[..., 0] / summed[..., 1])

    def signature(self) -> str:
        """State everything that changes the number."""
        return f"{self.kind}|eos:included|vocabulary:{self.vocabulary}|version:1"

    @classmethod
    def from_signature(cls, name: str, signature: str) -> Self | None:
        """See Aggregate."""
        if signature_kind(signature) != cls.kind:
            return None
        return cls(vocabulary=signature_fields(signature).get("vocabulary", "unknown"), name=name)


def perplexity(
    log_prob_sums: Sequence[float] | np.ndarray,
    token_counts: Sequence[int] | np.ndarray,
    *,
    vocabulary: str = "unknown",
) -> Score:
    """Score the references of a corpus; arguments and errors are those of `Perplexity`."""
    return Perplexity(vocabulary=vocabulary).score(log_prob_sums, token_counts)
