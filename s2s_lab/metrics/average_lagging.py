"""How many source words a simultaneous translation lags behind its speaker."""

from collections.abc import Sequence

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import Aggregate, Score


class AverageLagging(Aggregate):
    """Mean over sentences of the lag, in source positions, behind a translation that keeps pace from the first word on.

    Of a sentence: mean over t = 1..tau of g(t) - (t - 1) |x| / |y|, g(t) being the source positions read before the
    t-th symbol was written, and tau the first t at which all are read; the last t where that never comes. Source and
    target lengths include the end of sentence, which is read and written too. Statistics: [lag, 1].

    Paper: Ma et al. 2019, arXiv 1810.08398, section 4 (AL). Deviation: tau where the source is never
    read to its end, which the paper leaves open.

    Args:
        name: What the score is called in tables.
    """

    kind = "average_lagging"
    higher_is_better = False

    def __init__(self, *, name: str = "average_lagging") -> None:
        self.name = name

    def score(self, delays: Sequence[Sequence[int]], source_lengths: Sequence[int]) -> Score:
        """Score a corpus.

        Args:
            delays: For each sentence, for each symbol written, the source positions read before; at least one symbol.
            source_lengths: In positions, end of sentence included.

        Raises:
            RequestError: No sentence, unequal counts, or a sentence without symbols.
        """
        if len(delays) != len(source_lengths) or not delays or not all(map(len, delays)):
            raise RequestError(
                f"{self.name}: delays of {len(delays)} sentences but {len(source_lengths)} source lengths; expected "
                "one of each for each sentence, and at least one symbol"
            )
        lags = [_lag(np.asarray(read), length) for read, length in zip(delays, source_lengths, strict=True)]
        statistics = np.stack([lags, np.ones(len(lags))], axis=1).astype(np.float64)
        value = float(self.aggregate(statistics.sum(axis=0)))
        return Score(self.name, value, self.signature(), statistics, self.higher_is_better)

    def signature(self) -> str:
        """State everything that changes the number."""
        return f"{self.kind}|eos:counted|version:1"


def _lag(read: np.ndarray, source_length: int) -> float:
    """The mean lag of one sentence: of read (symbols,) before each symbol."""
    whole = np.flatnonzero(read >= source_length)
    until = int(whole[0]) + 1 if len(whole) else len(read)
    pace = source_length / len(read)
    return float(np.mean(read[:until] - np.arange(until) * pace))
