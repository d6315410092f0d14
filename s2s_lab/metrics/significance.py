"""Whether a difference between systems is more than chance: intervals over seeds, paired tests over sentences."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import Aggregate

CHUNK_ELEMENTS = 2_000_000
"""Largest (samples x sentences) array made at once, in elements; three of 8 bytes live together, 48 MB."""

Draw = Callable[[np.random.Generator, int, int], np.ndarray]
"""Draws weights (count, sentences) from a generator, a count and a number of sentences."""


@dataclass(frozen=True)
class Interval:
    """A mean and its confidence interval.

    Attributes:
        mean: Of the values.
        low: Lower end; NaN from a single value, which tells nothing about the spread.
        high: Upper end; NaN from a single value.
        n: Number of values.
    """

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class PairedTest:
    """The outcome of a paired test of system a against system b on the same sentences.

    Attributes:
        difference: Score of a minus score of b, each averaged over its seeds, in the metric's unit.
        low: Lower end of the difference's 95 % bootstrap interval over sentences.
        high: Upper end.
        p_value: Two-sided.
        samples: Number of resamples or shuffles.
        effect: The difference in standard deviations of what single sentences add to it: Cohen's d of paired values
            where the score is a mean over sentences, and its like for scores of a whole corpus. Does not grow with the
            number of sentences; 0 where nothing differs.
    """

    difference: float
    low: float
    high: float
    p_value: float
    samples: int
    effect: float


def t_interval(values: Sequence[float] | np.ndarray, confidence: float = 0.95) -> Interval:
    """Give mean and Student's t interval of scores over seeds.

    Args:
        values: One score for each seed.
        confidence: Probability that such intervals contain the true mean.

    Raises:
        RequestError: No value, a value that is not finite, or a confidence outside (0, 1).
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise RequestError(f"interval over seeds: values have shape {array.shape}; expected at least one score")
    if not np.isfinite(array).all():
        raise RequestError(f"interval over seeds: scores are {array.tolist()}; expected finite numbers")
    if not 0 < confidence < 1:
        raise RequestError(f"interval over seeds: confidence is {confidence}; expected between 0 and 1")
    mean = float(array.mean())
    if array.size == 1:
        return Interval(mean, math.nan, math.nan, 1)
    from scipy.special import stdtrit

    error = float(array.std(ddof=1)) / math.sqrt(array.size)
    half_width = float(stdtrit(array.size - 1, (1 + confidence) / 2)) * error
    return Interval(mean, mean - half_width, mean + half_width, int(array.size))


def paired_bootstrap(
    metric: Aggregate, a: Sequence[np.ndarray], b: Sequence[np.ndarray], *, samples: int = 1000, seed: int
) -> PairedTest:
    """Test a difference by drawing sentences with replacement, the same for both systems and all their seeds.

    Paper: Koehn, 2004, W04-3250; p-value by shifting the bootstrap distribution to the null hypothesis, as Riezler
    and Maxwell, 2005, W05-0908: the share of resamples whose difference is at least as far from the resamples' mean as
    the observed difference is from 0. sacrebleu compares absolute differences and counts one tail only, which gives
    about half of this where the difference is clear, and a small p-value for identical systems; here those get 1.
    Chance here is the choice of test sentences; chance of training is the matter of `t_interval`.

    Args:
        metric: What aggregates the statistics.
        a: For each seed of system a, its statistics (sentences, k).
        b: For each seed of system b, on the same sentences; the number of seeds may differ.
        samples: Number of resamples.
        seed: Of the resamples.

    Raises:
        RequestError: No seed, no sentence, different sentences, or no sample.
    """
    observed, differences = _bootstrap(metric, a, b, samples=samples, seed=seed)
    p_value = two_sided_p_value(np.abs(differences - mean_of_known(differences)), observed)
    return outcome(observed, differences, p_value, samples=samples, sentences=len(a[0]))


def approximate_randomization(
    metric: Aggregate, a: Sequence[np.ndarray], b: Sequence[np.ndarray], *, samples: int = 10_000, seed: int
) -> PairedTest:
    """Test a difference by exchanging the two systems' outputs at each sentence with probability one half.

    Paper: Noreen, 1989; Riezler and Maxwell, 2005, W05-0908. The outputs of all seeds are exchanged together at a
    sentence, since they share its difficulty. The interval is the paired bootstrap's, of at most 1,000 resamples.

    Args:
        metric: What aggregates the statistics.
        a: For each seed of system a, its statistics (sentences, k).
        b: The same of system b; as many seeds as a.
        samples: Number of shuffles.
        seed: Of the shuffles.

    Raises:
        RequestError: Different numbers of seeds, no seed, no sentence, different sentences, or no sample.
    """
    if len(a) != len(b):
        raise RequestError(f"approximate randomization: {len(a)} and {len(b)} seeds; expected equally many")
    stacked = _stack(a, b, samples)  # (systems, sentences, k)
    observed = _difference(metric, stacked.sum(axis=1), len(a))
    own, other = stacked[: len(a)], stacked[len(a) :]
    exchange = np.concatenate([other - own, own - other])  # what exchanging a sentence adds

    added = weighted_sums(exchange, draw_exchanges, samples=samples, seed=seed)
    differences = _difference(metric, stacked.sum(axis=1) + added, len(a))
    _, resampled = _bootstrap(metric, a, b, samples=min(samples, 1000), seed=seed)
    p_value = two_sided_p_value(np.abs(differences), float(observed))
    return outcome(float(observed), resampled, p_value, samples=samples, sentences=stacked.shape[1])


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values of several tests so that the chance of any false finding stays below the level.

    Paper: Holm, 1979: the i-th smallest of m is multiplied by m - i + 1, kept non-decreasing and at most 1.

    Args:
        p_values: One for each test, in any order.

    Returns:
        Adjusted p-values in the same order.

    Raises:
        RequestError: A value outside [0, 1].
    """
    for p_value in p_values:
        if not 0 <= p_value <= 1:
            raise RequestError(f"Holm correction: p-value is {p_value}; expected between 0 and 1")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, position in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[position]))
        adjusted[position] = largest
    return adjusted


def outcome(observed: float, resampled: np.ndarray, p_value: float, *, samples: int, sentences: int) -> PairedTest:
    """Put a test's outcome together.

    Args:
        observed: The difference.
        resampled: (resamples,) differences of the bootstrap; those of resamples without a finite score do not count.
        p_value: Of the test.
        samples: Of the test.
        sentences: How many there are.
    """
    known = resampled[np.isfinite(resampled)]
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (math.nan, math.nan)
    deviation = float(known.std()) * math.sqrt(sentences) if len(known) else math.nan
    tolerance = 1e-9 * max(abs(observed), 1e-3)
    effect = observed / deviation if deviation > tolerance else 0.0 if abs(observed) <= tolerance else math.nan
    return PairedTest(observed, float(low), float(high), p_value, samples, effect)


def draw_counts(rng: np.random.Generator, count: int, sentences: int) -> np.ndarray:
    """Draw sentences with replacement: how often each is in each resample, (count, sentences)."""
    chosen = rng.integers(sentences, size=(count, sentences))
    chosen += np.arange(count)[:, None] * sentences
    times = np.bincount(chosen.ravel(), minlength=count * sentences)  # multinomial counts
    return times.reshape(count, sentences).astype(np.float64)


def draw_exchanges(rng: np.random.Generator, count: int, sentences: int) -> np.ndarray:
    """Draw whether two systems exchange their outputs at each sentence: 0 or 1, (count, sentences)."""
    return rng.integers(2, size=(count, sentences), dtype=np.int8).astype(np.float64)


def weighted_sums(stacked: np.ndarray, draw: Draw, *, samples: int, seed: int) -> np.ndarray:
    """Sum statistics (systems, sentences, k) under drawn weights (count, sentences): (samples, systems, k)."""
    systems, sentences, size = stacked.shape
    columns = stacked.transpose(1, 0, 2).reshape(sentences, systems * size)
    rng = np.random.default_rng(seed)
    chunk = max(1, CHUNK_ELEMENTS // sentences)
    counts = [min(chunk, samples - start) for start in range(0, samples, chunk)]
    return np.concatenate([draw(rng, count, sentences) @ columns for count in counts]).reshape(samples, systems, size)


def mean_of_known(values: np.ndarray) -> float:
    """Give the mean of what is finite; NaN where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def two_sided_p_value(distances: np.ndarray, observed: float) -> float:
    """Give the share of distances that reach the observed one, the observed included.

    Rounding errors reach it, and so does a distance that is unknown: a resample without a finite score tells no
    systems apart.
    """
    known = distances[np.isfinite(distances)]
    tolerance = 1e-9 * max(abs(observed), float(known.max(initial=0.0)), 1e-3)
    below = int((known < abs(observed) - tolerance).sum()) if math.isfinite(observed) else 0
    return (len(distances) - below + 1) / (len(distances) + 1)


def _bootstrap(
    metric: Aggregate, a: Sequence[np.ndarray], b: Sequence[np.ndarray], *, samples: int, seed: int
) -> tuple[float, np.ndarray]:
    """Give the observed difference and those of the resamples (samples,)."""
    stacked = _stack(a, b, samples)
    sums = weighted_sums(stacked, draw_counts, samples=samples, seed=seed)
    observed = float(_difference(metric, stacked.sum(axis=1), len(a)))
    return observed, _difference(metric, sums, len(a))


def _difference(metric: Aggregate, sums: np.ndarray, seeds_of_a: int) -> np.ndarray:
    """Score (..., systems, k) and subtract b's mean over seeds from a's: (...)."""
    scores = metric.aggregate(sums)
    return scores[..., :seeds_of_a].mean(axis=-1) - scores[..., seeds_of_a:].mean(axis=-1)


def _stack(a: Sequence[np.ndarray], b: Sequence[np.ndarray], samples: int) -> np.ndarray:
    if samples < 1:
        raise RequestError(f"paired test: samples is {samples}; expected at least 1")
    if len(a) == 0 or len(b) == 0:
        raise RequestError(f"paired test: {len(a)} and {len(b)} seeds; expected at least one of each system")
    arrays = [np.asarray(statistics, dtype=np.float64) for statistics in (*a, *b)]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1 or arrays[0].ndim != 2 or len(arrays[0]) == 0:
        found = ", ".join(map(str, sorted(shapes)))
        raise RequestError(f"paired test: statistics have shapes {found}; expected (sentences, k), equal for all runs")
    return np.stack(arrays)
