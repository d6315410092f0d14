"""Chance of training: differences over seeds, how large they are, and how many seeds it takes to tell."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.metrics.significance import t_interval

MOST_SEEDS = 1000
"""More additional seeds than this are not counted: the answer is then None."""


@dataclass(frozen=True)
class SeedTest:
    """The outcome of a t-test of system a against system b over their seeds.

    Attributes:
        difference: Mean of a minus mean of b, in the scores' unit.
        low: Lower end of the difference's interval.
        high: Upper end.
        p_value: Two-sided.
        degrees: Degrees of freedom, of Welch's test after Satterthwaite; infinite where no score varies.
    """

    difference: float
    low: float
    high: float
    p_value: float
    degrees: float


@dataclass(frozen=True)
class EffectSize:
    """A difference in units of the spread over seeds.

    Attributes:
        g: Hedges' g; infinite where different scores do not vary, NaN where the spread is unknown.
        low: Lower end of its 95 % interval; NaN where there is none.
        high: Upper end.
    """

    g: float
    low: float
    high: float


def welch_test(a: Sequence[float], b: Sequence[float], confidence: float = 0.95) -> SeedTest:
    """Test whether two systems' mean scores differ, without assuming that their seeds vary equally.

    Paper: Welch, 1947, Biometrika 34. Where no score of either system varies the standard error is 0: different means
    then get p = 0, equal ones p = 1, and the interval is a point.

    Args:
        a: One score for each seed of system a.
        b: The same of system b; the number of seeds may differ.
        confidence: Of the interval.

    Raises:
        RequestError: Less than two scores of a system, or one that is not finite.
    """
    first, second = _scores(a), _scores(b)
    difference = float(first.mean() - second.mean())
    error, degrees = _standard_error(_variance(first), len(first), _variance(second), len(second))
    if error <= _rounding(first, second):
        equal = abs(difference) <= _rounding(first, second)
        return SeedTest(difference, difference, difference, 1.0 if equal else 0.0, math.inf)
    from scipy.special import stdtr, stdtrit

    half_width = float(stdtrit(degrees, (1 + confidence) / 2)) * error
    p_value = 2 * float(stdtr(degrees, -abs(difference) / error))
    return SeedTest(difference, difference - half_width, difference + half_width, min(1.0, p_value), degrees)


def paired_test(a: Sequence[float], b: Sequence[float], confidence: float = 0.95) -> SeedTest:
    """Test whether two ways of using the same trained models differ, by the differences of each model.

    Paper: Student, 1908, Biometrika 6. Where all differences are equal the standard error is 0: other differences than
    0 then get p = 0, and the interval is a point.

    Args:
        a: One score for each model.
        b: The other of the same models, in the same order.
        confidence: Of the interval.

    Raises:
        RequestError: Less than two models, unequal counts, or a score that is not finite.
    """
    first, second = _pairs(a, b)
    differences = first - second
    difference, error = float(differences.mean()), math.sqrt(_variance(differences) / len(differences))
    if error <= _rounding(first, second):
        equal = abs(difference) <= _rounding(first, second)
        return SeedTest(difference, difference, difference, 1.0 if equal else 0.0, math.inf)
    from scipy.special import stdtr, stdtrit

    degrees = len(differences) - 1
    half_width = float(stdtrit(degrees, (1 + confidence) / 2)) * error
    p_value = 2 * float(stdtr(degrees, -abs(difference) / error))
    return SeedTest(difference, difference - half_width, difference + half_width, min(1.0, p_value), degrees)


def hedges_g(a: Sequence[float], b: Sequence[float], confidence: float = 0.95) -> EffectSize:
    """Give the difference of two systems in units of their pooled standard deviation over seeds.

    Paper: Hedges, 1981, Journal of Educational Statistics 6: Cohen's d times the exact correction for few seeds, whose
    mean is the true difference in true deviations. The interval holds that difference as often as `confidence` says: it
    turns round the noncentral t-distribution of d and needs no correction. Both take the seeds of the two systems to
    vary equally.

    Args:
        a: One score for each seed of system a.
        b: The same of system b; the number of seeds may differ.
        confidence: Of the interval.

    Returns:
        Positive where a scores higher; all NaN where a system has one seed.
    """
    if min(len(a), len(b)) < 2:
        return EffectSize(math.nan, math.nan, math.nan)
    first, second = _scores(a), _scores(b)
    difference = float(first.mean() - second.mean())
    degrees = len(first) + len(second) - 2
    pooled = math.sqrt(((len(first) - 1) * _variance(first) + (len(second) - 1) * _variance(second)) / degrees)
    if pooled <= _rounding(first, second):
        same = abs(difference) <= _rounding(first, second)
        return EffectSize(0.0 if same else math.copysign(math.inf, difference), math.nan, math.nan)
    scale = math.sqrt(1 / len(first) + 1 / len(second))
    correction = math.exp(math.lgamma(degrees / 2) - math.lgamma((degrees - 1) / 2)) / math.sqrt(degrees / 2)
    low, high = (
        _noncentrality(difference / pooled / scale, degrees, probability)
        for probability in ((1 + confidence) / 2, (1 - confidence) / 2)
    )
    return EffectSize(correction * difference / pooled, scale * low, scale * high)


def seeds_for_interval(values: Sequence[float], half_width: float, confidence: float = 0.95) -> int | None:
    """Count the additional seeds until the t-interval of a mean has at most the given half width.

    Takes the spread seen so far for the true one.

    Args:
        values: One score for each seed.
        half_width: In the scores' unit.
        confidence: Of the interval.

    Returns:
        0 when it is narrow enough already; None when more than `MOST_SEEDS` would be needed.

    Raises:
        RequestError: Less than two scores, or one that is not finite.
    """
    scores = _scores(values)
    interval = t_interval(scores, confidence)
    if interval.high - interval.mean <= half_width:
        return 0
    from scipy.special import stdtrit

    deviation = math.sqrt(_variance(scores))

    def enough(more: int) -> bool:
        seeds = len(scores) + more
        return float(stdtrit(seeds - 1, (1 + confidence) / 2)) * deviation / math.sqrt(seeds) <= half_width

    return _least(enough)


def seeds_for_power(a: Sequence[float], b: Sequence[float], power: float = 0.8, level: float = 0.05) -> int | None:
    """Count the additional seeds of each system until a Welch test finds the observed effect with the given power.

    Takes difference and spreads seen so far for the true ones; the power is that of the noncentral t-distribution.

    Args:
        a: One score for each seed of system a.
        b: The same of system b; the number of seeds may differ.
        power: Probability of finding it.
        level: Of the test, two-sided.

    Returns:
        0 when the seeds suffice already; None when there is no difference, or more than `MOST_SEEDS` would be needed.

    Raises:
        RequestError: Less than two scores of a system, or one that is not finite.
    """
    first, second = _scores(a), _scores(b)
    difference = abs(float(first.mean() - second.mean()))
    rounding = _rounding(first, second)
    if difference <= rounding:
        return None
    variances = _variance(first), _variance(second)
    if max(variances) <= rounding**2:
        return 0
    sizes = len(first), len(second)
    return _least(lambda more: welch_power(difference, variances, (sizes[0] + more, sizes[1] + more), level) >= power)


def seeds_for_paired_power(
    a: Sequence[float], b: Sequence[float], power: float = 0.8, level: float = 0.05
) -> int | None:
    """Count the additional models until `paired_test` finds the observed effect; see `seeds_for_power`."""
    first, second = _pairs(a, b)
    differences, rounding = first - second, _rounding(first, second)
    difference, variance = abs(float(differences.mean())), _variance(differences)
    if difference <= rounding:
        return None
    if variance <= rounding**2:
        return 0
    from scipy.special import stdtrit

    def enough(more: int) -> bool:
        models = len(differences) + more
        critical, shift = float(stdtrit(models - 1, 1 - level / 2)), difference / math.sqrt(variance / models)
        found = 1 - noncentral_t(critical, models - 1, shift) + noncentral_t(-critical, models - 1, shift)
        return found >= power

    return _least(enough)


def welch_power(difference: float, variances: tuple[float, float], seeds: tuple[int, int], level: float) -> float:
    """Give the probability that a two-sided Welch test finds a difference of normally distributed scores.

    Args:
        difference: Of the true means, in the scores' unit.
        variances: True ones of the two systems over seeds, not both 0.
        seeds: Number of each system's.
        level: Of the test.
    """
    from scipy.special import stdtrit

    error, degrees = _standard_error(variances[0], seeds[0], variances[1], seeds[1])
    critical, shift = float(stdtrit(degrees, 1 - level / 2)), abs(difference) / error
    return 1 - noncentral_t(critical, degrees, shift) + noncentral_t(-critical, degrees, shift)


def _scores(values: Sequence[float] | np.ndarray) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size < 2:
        raise RequestError(f"test over seeds: {array.size} scores; expected at least two of each system")
    if not np.isfinite(array).all():
        raise RequestError(f"test over seeds: scores are {array.tolist()}; expected finite numbers")
    return array


def _pairs(a: Sequence[float], b: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    first, second = _scores(a), _scores(b)
    if len(first) != len(second):
        raise RequestError(f"test over pairs: {len(first)} and {len(second)} scores; expected equal counts")
    return first, second


def _variance(scores: np.ndarray) -> float:
    return float(scores.var(ddof=1))


def _rounding(first: np.ndarray, second: np.ndarray) -> float:
    """Give what scores that are equal on paper may differ by after arithmetic."""
    return 1e-12 * max(float(np.abs(first).max()), float(np.abs(second).max()), 1e-3)


def _standard_error(variance: float, seeds: int, other_variance: float, other_seeds: int) -> tuple[float, float]:
    """Give the difference's standard error and its degrees of freedom."""
    own, other = variance / seeds, other_variance / other_seeds
    if own + other == 0:
        return 0.0, math.inf
    degrees = 1 / ((own / (own + other)) ** 2 / (seeds - 1) + (other / (own + other)) ** 2 / (other_seeds - 1))
    return math.sqrt(own + other), degrees


def noncentral_t(observed: float, degrees: float, shift: float) -> float:
    """Give the probability that a noncentral t variable is at most `observed`.

    A normal variable of mean `shift` over the root of a mean square: integrated over that root's quantiles, which stays
    finite where scipy's series does not.
    """
    from scipy.special import chdtri, ndtr

    nodes, weights = _legendre()
    roots = np.sqrt(chdtri(degrees, 1 - nodes) / degrees)
    return float(weights @ ndtr(observed * roots - shift))


@cache
def _legendre() -> tuple[np.ndarray, np.ndarray]:
    """Give nodes and weights on (0, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    return (nodes + 1) / 2, weights / 2


def _noncentrality(observed: float, degrees: float, probability: float) -> float:
    """Find the shift whose noncentral t-distribution has the given probability up to the observed t."""
    from scipy.optimize import brentq

    low, high = observed - 1.0, observed + 1.0
    while noncentral_t(observed, degrees, low) < probability:
        low -= 2 * (observed - low)
    while noncentral_t(observed, degrees, high) > probability:
        high += 2 * (high - observed)
    root = brentq(lambda shift: noncentral_t(observed, degrees, shift) - probability, low, high, full_output=False)
    return float(root)  # pyright: ignore[reportArgumentType]


def _least(enough: Callable[[int], bool]) -> int | None:
    """Find the least number of additional seeds, by halving: what is enough stays so with more."""
    if enough(0):
        return 0
    few, many = 0, 1
    while not enough(many):
        if many >= MOST_SEEDS:
            return None
        few, many = many, min(MOST_SEEDS, many * 2)
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if enough(middle) else (middle, many)
    return many
