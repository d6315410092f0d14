"""chrF by sacrebleu, its arithmetic vectorised over resamples."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import ratio, signature_fields, signature_kind
from s2s_lab.metrics.ngram_pairs import Counts, NgramPairs
from s2s_lab.metrics.sacrebleu_statistics import SacrebleuMetric

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric as SacrebleuScorer

TINY = 1e-16
"""What sacrebleu uses for a precision or recall that is undefined."""


class ChrF(SacrebleuMetric):
    """F-score of character n-grams, 0 to 100; with word_order 2 it is chrF++.

    Paper: Popovic, 2015, W15-3049, and 2017, W17-4770. Statistics: for each order [hypothesis, reference, matches].

    Args:
        char_order: Longest character n-gram.
        word_order: Longest word n-gram.
        beta: Weight of recall against precision.
        lowercase: Compare lower-cased text.
        whitespace: Count n-grams across white space.
        eps_smoothing: Average F-scores of all orders, rather than precisions and recalls of the orders that occur.
        name: What the score is called in tables.

    Raises:
        RequestError: An order or beta out of range.
    """

    kind = "chrF"
    higher_is_better = True

    def __init__(
        self,
        *,
        char_order: int = 6,
        word_order: int = 0,
        beta: int = 2,
        lowercase: bool = False,
        whitespace: bool = False,
        eps_smoothing: bool = False,
        name: str = "chrf",
    ) -> None:
        for option, value, least in (("char_order", char_order, 1), ("word_order", word_order, 0), ("beta", beta, 1)):
            if value < least:
                raise RequestError(f"{name}: {option} is {value}; expected at least {least}")
        self.char_order = char_order
        self.word_order = word_order
        self.beta = beta
        self.lowercase = lowercase
        self.whitespace = whitespace
        self.eps_smoothing = eps_smoothing
        self.name = name
        self.num_statistics = 3 * (char_order + word_order)

    def scorer(self) -> "SacrebleuScorer":
        """See SacrebleuMetric."""
        import sacrebleu.metrics.chrf

        return sacrebleu.metrics.chrf.CHRF(
            char_order=self.char_order,
            word_order=self.word_order,
            beta=self.beta,
            lowercase=self.lowercase,
            whitespace=self.whitespace,
            eps_smoothing=self.eps_smoothing,
        )

    def pairs(self, hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
        """See Metric; the n-grams of a line are counted once."""
        shared = self._ngrams.shared(hypotheses, references)
        theirs = np.broadcast_to(self._ngrams.totals(references)[None], shared.shape)
        mine = np.broadcast_to(self._ngrams.totals(hypotheses)[:, None], shared.shape)
        statistics = np.stack((np.where(theirs > 0, mine, 0.0), theirs, shared), axis=-1)
        return statistics.reshape(*shared.shape[:2], -1)

    @cached_property
    def _ngrams(self) -> NgramPairs:
        return NgramPairs(self._count_ngrams)

    def _count_ngrams(self, line: str) -> Counts:
        line = self.prepare(line)
        line = line.lower() if self.lowercase else line
        letters = line if self.whitespace else "".join(line.split())
        orders = [
            Counter(letters[i : i + n] for i in range(len(letters) - n + 1)) for n in range(1, self.char_order + 1)
        ]
        words = [part for word in line.split() for part in _without_punctuation(word)] if self.word_order else []
        for n in range(1, self.word_order + 1):
            orders.append(Counter(" ".join(words[i : i + n]) for i in range(len(words) - n + 1)))
        return tuple(orders)  # type: ignore[return-value]

    def aggregate(self, summed: np.ndarray) -> np.ndarray:
        """See Aggregate."""
        summed = np.asarray(summed, dtype=np.float64)
        hypothesis, reference, matches = summed[..., 0::3], summed[..., 1::3], summed[..., 2::3]  # (..., orders)
        precision = ratio(matches, hypothesis, undefined=TINY)
        recall = ratio(matches, reference, undefined=TINY)
        if self.eps_smoothing:
            return 100.0 * self._f_score(precision, recall, undefined=TINY).mean(axis=-1)
        effective = (hypothesis > 0) & (reference > 0)
        orders = effective.sum(axis=-1)
        mean_precision = ratio(np.where(effective, precision, 0.0).sum(axis=-1), orders, undefined=0.0)
        mean_recall = ratio(np.where(effective, recall, 0.0).sum(axis=-1), orders, undefined=0.0)
        return 100.0 * self._f_score(mean_precision, mean_recall, undefined=0.0)

    def _f_score(self, precision: np.ndarray, recall: np.ndarray, *, undefined: float) -> np.ndarray:
        factor = self.beta**2
        return ratio((1 + factor) * precision * recall, factor * precision + recall, undefined=undefined)

    @classmethod
    def from_signature(cls, name: str, signature: str) -> Self | None:
        """See Aggregate."""
        beta = re.fullmatch(r"chrF(\d+)\+*", signature_kind(signature))
        if beta is None:
            return None
        fields = signature_fields(signature)
        return cls(
            char_order=int(fields["nc"]),
            word_order=int(fields["nw"]),
            beta=int(beta.group(1)),
            eps_smoothing=fields["eff"] == "no",
            name=name,
        )


def _without_punctuation(word: str) -> list[str]:
    """Part a word from one mark at its end, else from one at its beginning, as chrF++ does."""
    if len(word) > 1 and word[-1] in string.punctuation:
        return [word[:-1], word[-1]]
    if len(word) > 1 and word[0] in string.punctuation:
        return [word[0], word[1:]]
    return [word]
