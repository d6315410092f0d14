"""Tests over seeds against scipy, simulation, and the definition of what enough seeds are."""

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats

from s2s_lab.faults import RequestError
from s2s_lab.metrics.seeds import (
    MOST_SEEDS,
    hedges_g,
    noncentral_t,
    paired_test,
    seeds_for_interval,
    seeds_for_paired_power,
    seeds_for_power,
    welch_power,
    welch_test,
)

PAIRS = [
    ([3.0, 4.5, 2.2, 9.0], [1.0, 2.5, 0.3]),
    ([99.1, 99.5], [98.0, 98.1]),
    ([0.1, 0.2, 0.3], [0.1, 0.1, 0.11]),
    ([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 3.0, 4.0, 5.0, 100.0]),
]


@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_welch_equals_scipy(a: list[float], b: list[float], confidence: float) -> None:
    ours = welch_test(a, b, confidence)
    theirs: Any = scipy.stats.ttest_ind(a, b, equal_var=False)
    interval = theirs.confidence_interval(confidence)
    assert ours.difference == pytest.approx(np.mean(a) - np.mean(b))
    assert (ours.p_value, ours.degrees) == pytest.approx((theirs.pvalue, theirs.df))
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_paired_test_equals_scipy_and_sees_what_the_spread_of_models_hides(confidence: float) -> None:
    beam, greedy = [30.0, 41.0, 35.5, 38.0], [29.0, 39.5, 34.8, 36.9]
    ours, theirs = paired_test(beam, greedy, confidence), scipy.stats.ttest_rel(beam, greedy)
    interval = theirs.confidence_interval(confidence)
    assert (ours.p_value, ours.degrees) == pytest.approx((theirs.pvalue, theirs.df))
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high))
    assert ours.p_value < 0.02 < 0.5 < welch_test(beam, greedy).p_value
    assert paired_test(beam, beam).p_value == 1
    assert paired_test([2.0, 3.0], [1.0, 2.0]).p_value == 0
    with pytest.raises(RequestError, match="2 and 3 scores"):
        paired_test([1.0, 2.0], [1.0, 2.0, 3.0])


def test_scores_that_do_not_vary_differ_or_they_do_not() -> None:
    same, other = welch_test([100.0] * 3, [100.0] * 2), welch_test([0.3] * 3, [0.1] * 3)
    assert (same.difference, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    assert other.p_value == 0 and other.low == other.high == pytest.approx(0.2)
    assert welch_test([0.1 + 0.2] * 3, [0.3] * 3).p_value == 1, "rounding is no difference"


def test_welch_keeps_its_level_with_unequal_spread_and_seeds() -> None:
    generator = np.random.default_rng(3)
    found = np.mean([
        welch_test(generator.normal(50, 3, size=3).tolist(), generator.normal(50, 1, size=6).tolist()).p_value < 0.05
        for _ in range(3000)
    ])  # fmt: skip
    assert found == pytest.approx(0.05, abs=0.02)


def test_the_noncentral_distribution_equals_scipy() -> None:
    for degrees in (1.2, 2, 8, 50):
        for observed in (-3.0, 0.5, 3.0, 20.0):
            for shift in (-2.0, 0.0, 0.5, 3.0):
                expected = scipy.stats.nct.cdf(observed, degrees, shift)
                assert noncentral_t(observed, degrees, shift) == pytest.approx(expected, abs=1e-6)


def test_effect_size_is_hedges_and_its_interval_turns_the_noncentral_distribution_round() -> None:
    for a, b in PAIRS:
        effect = hedges_g(a, b)
        degrees = len(a) + len(b) - 2
        pooled = math.sqrt(((len(a) - 1) * np.var(a, ddof=1) + (len(b) - 1) * np.var(b, ddof=1)) / degrees)
        correction = math.gamma(degrees / 2) / math.sqrt(degrees / 2) / math.gamma((degrees - 1) / 2)
        assert effect.g == pytest.approx(correction * (np.mean(a) - np.mean(b)) / pooled)
        scale = math.sqrt(1 / len(a) + 1 / len(b))
        observed = effect.g / correction / scale
        for end, probability in ((effect.low, 0.975), (effect.high, 0.025)):
            shift = end / scale
            assert scipy.stats.nct.cdf(observed, degrees, shift) == pytest.approx(probability, abs=1e-5)
        turned = hedges_g(b, a)
        assert (turned.g, turned.low, turned.high) == pytest.approx((-effect.g, -effect.high, -effect.low))


@pytest.mark.parametrize(("seeds", "true"), [(2, 1.0), (2, 5.0), (3, 2.0), (4, 1.0)])
def test_hedges_g_is_unbiased_and_its_interval_covers(seeds: int, true: float) -> None:
    generator, many = np.random.default_rng(4), 600
    effects = [
        hedges_g(generator.normal(true, 1, size=seeds).tolist(), generator.normal(0, 1, size=seeds).tolist())
        for _ in range(many)
    ]
    if seeds > 2:  # of two seeds g has a mean and no variance
        assert np.mean([effect.g for effect in effects]) == pytest.approx(true, abs=0.3)
    covered = np.mean([effect.low <= true <= effect.high for effect in effects])
    assert covered == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / many))


def test_effect_sizes_where_nothing_varies_or_a_seed_is_alone() -> None:
    assert hedges_g([1.0, 1.0], [1.0, 1.0]).g == 0
    assert hedges_g([1.0, 1.0], [2.0, 2.0]).g == -math.inf
    assert math.isnan(hedges_g([1.0, 1.0], [2.0, 2.0]).low)
    assert math.isnan(hedges_g([1.0], [2.0, 3.0]).g)


@pytest.mark.parametrize("half_width", [0.2, 1.0, 3.0])
def test_seeds_for_an_interval_are_the_fewest(half_width: float) -> None:
    values = [3.0, 4.5, 2.2, 9.0]

    def width(more: int) -> float:
        return float(scipy.stats.t.ppf(0.975, 3 + more)) * float(np.std(values, ddof=1)) / math.sqrt(4 + more)

    more = seeds_for_interval(values, half_width)
    expected = next((more for more in range(MOST_SEEDS + 1) if width(more) <= half_width), None)
    assert more == expected
    assert seeds_for_interval(values, width(0) + 1e-9) == 0
    assert seeds_for_interval(values, 1e-3) is None
    assert seeds_for_interval([2.0, 2.0], 0.0) == 0


def test_power_equals_simulation() -> None:
    generator = np.random.default_rng(5)
    for difference, variances, seeds in ((1.5, (1.0, 1.0), (4, 4)), (2.0, (4.0, 0.5), (6, 3))):
        found = np.mean([
            welch_test(
                generator.normal(difference, variances[0] ** 0.5, size=seeds[0]).tolist(),
                generator.normal(0, variances[1] ** 0.5, size=seeds[1]).tolist(),
            ).p_value
            < 0.05
            for _ in range(3000)
        ])  # fmt: skip
        assert welch_power(difference, variances, seeds, 0.05) == pytest.approx(found, abs=0.04)


def test_seeds_for_power_are_the_fewest() -> None:
    a, b = [3.0, 4.5, 2.2, 9.0], [1.0, 2.5, 0.3]
    more = seeds_for_power(a, b)
    assert more
    variances = float(np.var(a, ddof=1)), float(np.var(b, ddof=1))
    difference = float(np.mean(a) - np.mean(b))
    assert welch_power(difference, variances, (4 + more, 3 + more), 0.05) >= 0.8
    assert welch_power(difference, variances, (3 + more, 2 + more), 0.05) < 0.8
    assert seeds_for_power(a, a) is None
    assert seeds_for_power([1.0, 1.0], [2.0, 2.0]) == 0
    assert seeds_for_power([100.0, 101.0, 100.5], [1.0, 2.0, 1.5]) == 0
    assert seeds_for_power([100.0, 200.0], [150.1, 150.0]) is None, "a difference of nearly nothing"


def test_models_for_paired_power_are_the_fewest() -> None:
    a, b = [3.0, 4.5, 2.2], [1.0, 4.0, 2.6]
    more = seeds_for_paired_power(a, b)
    assert more
    differences, generator = np.array(a) - np.array(b), np.random.default_rng(7)
    for models, enough in ((3 + more, True), (3 + more - 2, False)):
        drawn = generator.normal(differences.mean(), differences.std(ddof=1), size=(4000, models))
        power = np.mean(scipy.stats.ttest_1samp(drawn, 0.0, axis=1).pvalue < 0.05)
        assert (power >= 0.78) if enough else (power < 0.8)
    assert seeds_for_paired_power(a, a) is None
    assert seeds_for_paired_power([2.0, 3.0], [1.0, 2.0]) == 0


@pytest.mark.parametrize("test", [welch_test, seeds_for_power, paired_test, seeds_for_paired_power])
@pytest.mark.parametrize(("a", "message"), [([1.0], "1 scores"), ([1.0, math.nan], "finite")])
def test_what_has_no_spread_is_refused(test, a: list[float], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        test(a, [1.0, 2.0])
