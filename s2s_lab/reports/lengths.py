"""Scores of groups of sentences: by source length and by reference length."""

from collections.abc import Sequence

import numpy as np

from s2s_lab.metrics.recorded import aggregate_of
from s2s_lab.reports.entries import ScoreKind

MOST_BUCKETS = 8


def length_buckets(lengths: np.ndarray, most: int = MOST_BUCKETS) -> list[tuple[int, int]]:
    """Divide sentences into ranges of length with about equally many in each.

    Args:
        lengths: (sentences,) in tokens.
        most: Greatest number of ranges.

    Returns:
        (shortest, longest) of each range, both inclusive, without gaps or overlaps from the shortest to the longest.
    """
    if lengths.size == 0:
        return []
    starts = sorted({int(edge) for edge in np.quantile(lengths, np.arange(most) / most, method="higher")})
    ends = [start - 1 for start in starts[1:]] + [int(lengths.max())]
    return list(zip(starts, ends, strict=True))


def bucket_of(lengths: np.ndarray, buckets: Sequence[tuple[int, int]]) -> np.ndarray:
    """Give each sentence's range: (sentences,) indices into the buckets."""
    return np.searchsorted([start for start, _ in buckets], lengths, side="right") - 1


def bucket_label(bucket: tuple[int, int]) -> str:
    """Write a range: `7`, or `8` and `11` joined by an en dash."""
    start, end = bucket
    return str(start) if start == end else f"{start}\u2013{end}"


def score_in_buckets(
    kind: ScoreKind, statistics: Sequence[np.ndarray], membership: np.ndarray, num_buckets: int
) -> list[float]:
    """Score the sentences of each bucket.

    Args:
        kind: The score.
        statistics: For each seed (sentences, k).
        membership: (sentences,) the bucket of each sentence.
        num_buckets: How many there are.

    Returns:
        For each bucket the score, averaged over the seeds; NaN where it is empty.
    """
    metric = aggregate_of(kind.name, kind.signature)
    values = []
    for bucket in range(num_buckets):
        inside = membership == bucket
        if not inside.any():
            values.append(float("nan"))
            continue
        summed = np.stack([array[inside].sum(axis=0) for array in statistics])
        values.append(float(metric.aggregate(summed).mean()))
    return values
