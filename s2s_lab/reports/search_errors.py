"""Search errors by source length: how often a strategy's output is less probable than the best one known."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from s2s_lab.metrics.base import signature_kind
from s2s_lab.metrics.search_errors import MARGIN
from s2s_lab.records.evaluation import Evaluation
from s2s_lab.reports.decoder_records import model_key
from s2s_lab.reports.entries import SplitComparison
from s2s_lab.reports.lengths import bucket_label, bucket_of, length_buckets

NORMAL_QUANTILE = 1.959964
"""Of 0.975."""


def search_errors(split: SplitComparison) -> dict[str, Any] | None:
    """Count search errors in ranges of source length.

    A sentence is an error of a strategy when the model finds another known output more probable by more than the
    metric's margin. Known are the finished outputs recorded of the same run on this split, in the same arithmetic and
    with the same other models beside it, and the reference where its probability is recorded. An unfinished output is
    known to nobody but counts as found: as a prefix it is at least as probable as what it would have become.

    Paper: Stahlberg and Byrne 2019, arXiv 1908.10090. Deviation: they know the most probable output of all by exact
    search; without one recorded, the shares are lower bounds.

    Args:
        split: The entries.

    Returns:
        `labels` and `counts` (sentences) of the ranges; `reference`, whether references were known; `series`, for each
        entry None or share, low and high of each range in per cent (averaged over seeds, with Wilson's 95 % interval
        of that share among the range's sentences) and `overall`. None where no run has two strategies to compare.
    """
    groups: dict[str, list[tuple[int, Evaluation]]] = {}
    for position, entry in enumerate(split.entries):
        for run, evaluation in zip(entry.runs, entry.evaluations, strict=True):
            model = f"{run.folder.path} {model_key(evaluation)}"
            groups.setdefault(model, []).append((position, evaluation))
    errors: dict[int, list[np.ndarray]] = {}
    reference = False
    for members in groups.values():
        found = {position: log_probs for position, one in members if (log_probs := _found(one)) is not None}
        if len(found) < 2:
            continue
        outputs = [_best_listed(evaluation) for position, evaluation in members if position in found]
        references = [known for _, one in members if (known := _of_references(one)) is not None]
        reference |= bool(references)
        best = np.max([*outputs, *references], axis=0)
        for position, log_probs in found.items():
            errors.setdefault(position, []).append(best > log_probs + MARGIN)
    if not errors:
        return None
    lengths = np.array([segment["source_length"] for segment in split.entries[0].evaluations[0].segments()], np.int64)
    buckets = length_buckets(lengths)
    membership = bucket_of(lengths, buckets)
    return {
        "labels": [bucket_label(bucket) for bucket in buckets],
        "counts": np.bincount(membership, minlength=len(buckets)).tolist(),
        "reference": reference,
        "series": [
            _series(errors[position], membership, len(buckets)) if position in errors else None
            for position in range(len(split.entries))
        ],
    }


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """Give the 95 % score interval of a share.

    Paper: Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    Args:
        share: 0 to 1.
        count: Independent trials it was seen in, at least 1.
    """
    square = NORMAL_QUANTILE**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = NORMAL_QUANTILE * math.sqrt(share * (1 - share) / count + square / (4 * count**2)) / (1 + square / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def _series(errors: Sequence[np.ndarray], membership: np.ndarray, num_buckets: int) -> dict[str, Any]:
    rates = np.mean(errors, axis=0)  # of each sentence, over seeds
    shares = [float(rates[membership == bucket].mean()) for bucket in range(num_buckets)]
    counts = np.bincount(membership, minlength=num_buckets).tolist()
    intervals = [wilson_interval(share, count) for share, count in zip(shares, counts, strict=True)]
    return {
        "share": [100 * share for share in shares],
        "low": [100 * low for low, _ in intervals],
        "high": [100 * high for _, high in intervals],
        "overall": 100 * float(rates.mean()),
    }


def _found(evaluation: Evaluation) -> np.ndarray | None:
    """Give the (sentences,) log-probabilities of the outputs; None where one is not recorded."""
    values = [segment.get("log_prob") for segment in evaluation.segments()]
    return np.array(values, dtype=np.float64) if values and all(map(_is_number, values)) else None


def _best_listed(evaluation: Evaluation) -> np.ndarray:
    """Give the (sentences,) greatest log-probability of a finished output that was found, -inf where none is.

    It is told by the segments, or by the n-best lists where these do not.
    """
    segments = evaluation.segments()
    if all("best_log_prob" in segment for segment in segments):
        told = [segment["best_log_prob"] for segment in segments]
        return np.array([value if _is_number(value) else -math.inf for value in told], dtype=np.float64)
    listed = [
        [item["log_prob"] for item in items if item.get("finished") and _is_number(item.get("log_prob"))]
        for items in evaluation.nbest()
    ]
    return np.array([max(values, default=-math.inf) for values in listed], dtype=np.float64)


def _of_references(evaluation: Evaluation) -> np.ndarray | None:
    """Give the (sentences,) log-probabilities of the references, which the statistics of perplexity hold."""
    names = [
        score["name"] for score in evaluation.facts["scores"] if signature_kind(score["signature"]) == "perplexity"
    ]
    if not names or evaluation.facts.get("shortlist"):
        return None
    statistics = [segment["statistics"].get(names[0]) for segment in evaluation.segments()]
    if not all(statistics) or not all(_is_number(values[0]) for values in statistics if values):
        return None
    return np.array([values[0] for values in statistics if values], dtype=np.float64)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
