"""How varied the outputs of a corpus are: the share of its n-grams that are distinct."""

from collections import Counter
from collections.abc import Sequence
from typing import Self

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import Aggregate, Score, ratio, signature_fields, signature_kind
from s2s_lab.metrics.units import divide


class DistinctN(Aggregate):
    """Number of distinct n-grams of all outputs over the number of their words, 0 to 1; words are divided by spaces.

    Paper: Li et al. 2016, arXiv 1510.03055, section 5.2. Statistics: [sum over the sentence's n-grams of 1 / how often
    the corpus has it, words]. Their sum is the paper's number exactly; of a resample of sentences it is that of the
    corpus in which each n-gram is shared among the sentences that hold it, as a resample's own distinct n-grams are
    fewer merely because it repeats sentences.

    Args:
        order: The n, at least 1.
        name: What the score is called in tables; `distinct_N` by default.

    Raises:
        RequestError: The order is below 1.
    """

    kind = "distinct_n"
    higher_is_better = True

    def __init__(self, *, order: int, name: str | None = None) -> None:
        if order < 1:
            raise RequestError(f"distinct_n: order is {order}; expected at least 1")
        self.order = order
        self.name = f"distinct_{order}" if name is None else name

    def score(self, outputs: Sequence[str]) -> Score:
        """Score the outputs of a corpus.

        Args:
            outputs: One for each sentence; empty ones add nothing.

        Raises:
            RequestError: There is none.
        """
        if not outputs:
            raise RequestError(f"{self.name}: no sentence to score; expected at least one")
        words = [divide(line) for line in outputs]
        ngrams = [[tuple(line[at : at + self.order]) for at in range(len(line) - self.order + 1)] for line in words]
        times = Counter(ngram for line in ngrams for ngram in line)
        shares = [sum(1.0 / times[ngram] for ngram in line) for line in ngrams]
        statistics = np.array([shares, [len(line) for line in words]], dtype=np.float64).T
        value = float(self.aggregate(statistics.sum(axis=0)))
        return Score(self.name, value, self.signature(), statistics, self.higher_is_better)

    def aggregate(self, summed: np.ndarray) -> np.ndarray:
        """See Aggregate; 0 where no output has a word."""
        return ratio(summed[..., 0], summed[..., 1], undefined=0.0)

    def signature(self) -> str:
        """State everything that changes the number."""
        return f"{self.kind}|n:{self.order}|per:word|case:mixed|version:1"

    @classmethod
    def from_signature(cls, name: str, signature: str) -> Self | None:
        """See Aggregate."""
        if signature_kind(signature) != cls.kind:
            return None
        return cls(order=int(signature_fields(signature)["n"]), name=name)
