"""How alike the outputs for one source are: the BLEU of each of them against the others."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import Aggregate, Score
from s2s_lab.metrics.bleu import BLEU, ORDERS
from s2s_lab.metrics.units import divide


class SelfBLEU(Aggregate):
    """Mean over all outputs of the BLEU of one with the others for its source as references, 0 to 100; lower is varied.

    Paper: Zhu et al. 2018, arXiv 1802.01886. Deviations: the set is what was found for one source, not all that a model
    says; the BLEU of a single output is smoothed and of the orders that it has. Words are divided by spaces. A source
    with one output says nothing. Statistics: [sum over the source's outputs, number of them].

    Args:
        name: What the score is called in tables.
    """

    kind = "self_BLEU"
    higher_is_better = False

    def __init__(self, *, name: str = "self_bleu") -> None:
        self.name = name

    def score(self, outputs: Sequence[Sequence[str]]) -> Score:
        """Score the sets of outputs of a corpus.

        Args:
            outputs: For each source what was found for it; equal ones count each.

        Raises:
            RequestError: No source has two outputs.
        """
        if not any(len(found) > 1 for found in outputs):
            raise RequestError(f"{self.name}: no source has several outputs; expected at least two for one of them")
        statistics = np.zeros((len(outputs), 2))
        for row, found in zip(statistics, outputs, strict=True):
            if len(found) > 1:
                row[:] = against_others(found).sum(), len(found)
        value = float(self.aggregate(statistics.sum(axis=0)))
        return Score(self.name, value, self.signature(), statistics, self.higher_is_better)

    def signature(self) -> str:
        """State everything that changes the number."""
        return f"{self.kind}|refs:others|of:source|smooth:exp|eff:yes|tok:none|case:mixed|version:1"


def against_others(outputs: Sequence[str]) -> np.ndarray:
    """Give the BLEU of each output with all others as its references.

    What the others have most of an n-gram is the most of all, or the second most for the output that has the most, so
    that no two outputs are compared.

    Args:
        outputs: At least two.

    Returns:
        (outputs,), 0 to 100.
    """
    lines = [divide(line) for line in outputs]
    counts = [_ngrams(line) for line in lines]
    most: dict[tuple[str, ...], tuple[int, int]] = {}
    for own in counts:
        for ngram, times in own.items():
            first, second = most.get(ngram, (0, 0))
            most[ngram] = (times, first) if times > first else (first, max(second, times))
    statistics = np.zeros((len(lines), 2 + 2 * ORDERS))
    lengths = np.array([len(line) for line in lines])
    for place, (row, own) in enumerate(zip(statistics, counts, strict=True)):
        others = np.delete(lengths, place)
        row[0] = lengths[place]
        row[1] = others[np.lexsort((others, np.abs(others - lengths[place])))[0]]  # the shorter of two equally close
        for ngram, times in own.items():
            first, second = most[ngram]
            row[1 + len(ngram)] += min(times, second if times == first else first)
            row[1 + ORDERS + len(ngram)] += times
    return BLEU(tokenize="none", effective_order=True).aggregate(statistics)


def _ngrams(words: Sequence[str]) -> Counter[tuple[str, ...]]:
    return Counter(
        tuple(words[at : at + order]) for order in range(1, ORDERS + 1) for at in range(len(words) - order + 1)
    )
