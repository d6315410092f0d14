"""Intervals and tests against scipy, sacrebleu, brute force and simulated data."""

import itertools
import math
import random
import time
import tracemalloc

import numpy as np
import pytest
import sacrebleu.metrics
import sacrebleu.significance
import scipy.stats

from s2s_lab.faults import RequestError
from s2s_lab.metrics import significance
from s2s_lab.metrics.all_pairs import paired_tests
from s2s_lab.metrics.base import Aggregate
from s2s_lab.metrics.bleu import BLEU
from s2s_lab.metrics.sacrebleu_statistics import streams
from s2s_lab.metrics.significance import approximate_randomization, holm, paired_bootstrap, t_interval

WORDS = [f"w{number}" for number in range(30)]
TESTS = [paired_bootstrap, approximate_randomization]


class Mean(Aggregate):
    """Mean of one number for each sentence: statistics [number, 1]."""

    kind = "mean"
    higher_is_better = True

    def __init__(self, *, name: str = "mean") -> None:
        self.name = name

    def aggregate(self, summed: np.ndarray) -> np.ndarray:
        return summed[..., 0] / summed[..., 1]


def rows(values: np.ndarray) -> np.ndarray:
    return np.stack([values, np.ones_like(values)], axis=1)


def systems(noise: float, seed: int, sentences: int = 200) -> tuple[list[str], list[str], list[tuple[str, ...]]]:
    generator = random.Random(seed)
    references = [(" ".join(generator.choices(WORDS, k=generator.randint(4, 15))),) for _ in range(sentences)]

    def corrupted(probability: float) -> list[str]:
        return [
            " ".join(generator.choice(WORDS) if generator.random() < probability else word for word in line.split())
            for (line,) in references
        ]

    return corrupted(0.3), corrupted(0.3 + noise), references


def sampling_error(p_value: float, samples: int) -> float:
    """Four standard deviations of the difference of two estimates from as many samples, and their +1."""
    return 4 * math.sqrt(2 * max(p_value, 1 / samples) * (1 - p_value) / samples) + 2 / samples


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
def test_interval_equals_scipy(confidence):
    values = [3.0, 4.5, 2.25, 9.0]
    interval = t_interval(values, confidence)
    expected = scipy.stats.t.interval(confidence, 3, loc=np.mean(values), scale=scipy.stats.sem(values))
    assert (interval.low, interval.high) == pytest.approx(expected)
    assert (interval.mean, interval.n) == (pytest.approx(4.6875), 4)


@pytest.mark.parametrize("seeds", [2, 5])
def test_interval_contains_the_true_mean_as_often_as_it_says(seeds):
    runs = np.random.default_rng(1).normal(30.0, 2.0, size=(3000, seeds))
    intervals = [t_interval(values) for values in runs]
    covered = np.mean([interval.low <= 30 <= interval.high for interval in intervals])
    assert covered == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 3000))


def test_interval_of_equal_values_is_a_point_and_of_one_value_is_unknown():
    assert t_interval([2.0, 2.0, 2.0]) == significance.Interval(2.0, 2.0, 2.0, 3)
    single = t_interval([2.0])
    assert (single.mean, single.n) == (2.0, 1)
    assert math.isnan(single.low)
    assert math.isnan(single.high)


@pytest.mark.parametrize(("values", "confidence"), [([], 0.95), ([1.0, math.nan], 0.95), ([1.0, 2.0], 95)])
def test_interval_refuses_what_has_none(values, confidence):
    with pytest.raises(RequestError, match="interval over seeds"):
        t_interval(values, confidence)


def theirs(kind: str, first: list[str], second: list[str], references: list[tuple[str, ...]], samples: int) -> float:
    test = sacrebleu.significance.PairedTest(
        [("first", first), ("second", second)],
        {"BLEU": sacrebleu.metrics.BLEU(force=True)},
        streams(references),
        test_type=kind,
        n_samples=samples,
    )
    p_value = test()[1]["BLEU"][1].p_value
    assert p_value is not None
    return p_value


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.05, 0.2])
def test_randomization_agrees_with_sacrebleu(noise):
    first, second, references = systems(noise, seed=3)
    metric = BLEU()
    arguments = [[metric.statistics(first, references)], [metric.statistics(second, references)]]
    ours = approximate_randomization(metric, *arguments, samples=2000, seed=5)
    expected = theirs("ar", first, second, references, 2000)
    assert ours.p_value == pytest.approx(expected, abs=sampling_error(expected, 2000))


@pytest.mark.parametrize("noise", [0.04, 0.05, 0.06, 0.2])
def test_bootstrap_is_twice_the_single_tail_of_sacrebleu_where_the_difference_is_clear(noise):
    first, second, references = systems(noise, seed=3)
    metric = BLEU()
    arguments = [[metric.statistics(first, references)], [metric.statistics(second, references)]]
    ours = paired_bootstrap(metric, *arguments, samples=2000, seed=5)
    expected = theirs("bs", first, second, references, 2000)
    assert expected < 0.1
    assert ours.p_value == pytest.approx(2 * expected, abs=2 * sampling_error(expected, 2000))


def test_bootstrap_equals_resampling_corpora_one_by_one():
    first, second, references = systems(0.03, seed=8, sentences=60)
    metric = BLEU()
    arguments = [[metric.statistics(first, references)], [metric.statistics(second, references)]]
    test = paired_bootstrap(metric, *arguments, samples=4000, seed=5)
    scorer = sacrebleu.metrics.BLEU(force=True)
    generator = np.random.default_rng(77)
    differences = []
    for _ in range(300):
        chosen = generator.integers(60, size=60)
        accepted = streams([references[index] for index in chosen])
        scores = [scorer.corpus_score([lines[i] for i in chosen], accepted).score for lines in (first, second)]
        differences.append(scores[0] - scores[1])
    centred = np.abs(np.array(differences) - np.mean(differences))
    expected = float(np.mean(centred >= abs(test.difference)))
    assert test.p_value == pytest.approx(expected, abs=sampling_error(expected, 300))
    spread = np.std(differences)
    assert (test.low, test.high) == pytest.approx(np.percentile(differences, [2.5, 97.5]), abs=0.6 * spread)


def test_p_values_are_uniform_when_systems_are_equally_good_and_intervals_cover():
    generator = np.random.default_rng(2)
    p_values = {test: [] for test in TESTS}
    covered = []
    for replicate in range(400):
        difficulty = generator.normal(size=80)
        a, b = (rows(difficulty + generator.normal(size=80)) for _ in range(2))
        for test in TESTS:
            p_values[test].append(test(Mean(), [a], [b], samples=300, seed=replicate).p_value)
        outcome = paired_bootstrap(Mean(), [a], [b], samples=300, seed=replicate)
        covered.append(outcome.low <= 0 <= outcome.high)
    for values in p_values.values():
        assert scipy.stats.kstest(values, "uniform").pvalue > 0.001
    assert np.mean(covered) == pytest.approx(0.95, abs=0.05)


@pytest.mark.parametrize("test", TESTS)
def test_a_real_difference_is_found(test):
    generator = np.random.default_rng(4)
    difficulty = generator.normal(size=300)
    outcome = test(
        Mean(), [rows(difficulty + 0.3)], [rows(difficulty + generator.normal(size=300))], samples=999, seed=1
    )
    assert outcome.p_value < 0.01
    assert 0 < outcome.low < outcome.difference < outcome.high


@pytest.mark.parametrize("test", TESTS)
def test_identical_systems_never_differ(test):
    seeds = [rows(np.random.default_rng(number).normal(size=50)) for number in range(3)]
    for a, b in itertools.product(itertools.permutations(seeds), repeat=2):
        outcome = test(Mean(), list(a), list(b), samples=50, seed=1)
        assert outcome.p_value == 1
        assert outcome.difference == pytest.approx(0, abs=1e-12)


class Ratio(Mean):
    """Sum of the first over sum of the second number: no score where the latter is 0."""

    def aggregate(self, summed: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return summed[..., 0] / summed[..., 1]


@pytest.mark.parametrize("test", TESTS)
def test_resamples_without_a_score_tell_no_systems_apart(test):
    rare = np.zeros((40, 2))
    rare[:3] = [[1, 2], [2, 2], [0, 1]]
    better = rare + [[1, 0]] * (rare[:, 1:] > 0)
    alone, pairs = test(Ratio(), [rare], [rare], samples=999, seed=1), [(0, 1), (0, 0)]
    assert alone.p_value == 1 and alone.low == alone.high == 0
    assert test(Ratio(), [better], [rare], samples=999, seed=1).p_value >= 0.02  # (37/40)^40 of the resamples
    kind = "bootstrap" if test is paired_bootstrap else "randomization"
    found = paired_tests(Ratio(), [[better], [rare]], pairs, test=kind, samples=999, seed=1)
    assert (
        found[0, 0].p_value == 1 and found[0, 1].p_value == test(Ratio(), [better], [rare], samples=999, seed=1).p_value
    )
    unknown = test(Ratio(), [rare * 0], [rare], samples=99, seed=1)
    assert unknown.p_value == 1 and math.isnan(unknown.difference)


@pytest.mark.parametrize("test", TESTS)
def test_swapping_the_systems_turns_the_sign_alone(test):
    generator = np.random.default_rng(6)
    a, b = ([rows(generator.normal(size=70)) for _ in range(2)] for _ in range(2))
    forward, backward = (test(Mean(), *pair, samples=200, seed=9) for pair in ((a, b), (b, a)))
    assert backward.difference == pytest.approx(-forward.difference)
    assert (backward.low, backward.high) == pytest.approx((-forward.high, -forward.low))
    assert backward.p_value == forward.p_value


def test_scores_are_averaged_over_seeds_of_unequal_number():
    a = [rows(np.full(10, value)) for value in (1.0, 2.0, 6.0)]
    outcome = paired_bootstrap(Mean(), a, [rows(np.full(10, 1.5))], samples=20, seed=1)
    assert (outcome.difference, outcome.low, outcome.high) == pytest.approx((1.5, 1.5, 1.5))
    with pytest.raises(RequestError, match="3 and 1 seeds"):
        approximate_randomization(Mean(), a, a[:1], seed=1)


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize(
    ("a", "b", "samples", "message"),
    [
        ([np.ones((5, 2))], [np.ones((6, 2))], 10, "statistics have shapes"),
        ([np.ones((0, 2))], [np.ones((0, 2))], 10, "statistics have shapes"),
        ([], [], 10, "0 and 0 seeds"),
        ([np.ones((5, 2))], [np.ones((5, 2))], 0, "samples is 0"),
    ],
)
def test_what_cannot_be_paired_is_refused(test, a, b, samples, message):
    with pytest.raises(RequestError, match=message):
        test(Mean(), a, b, samples=samples, seed=1)


@pytest.mark.parametrize("test", TESTS)
def test_memory_stays_bounded_for_large_corpora(test):
    a, b = (rows(np.random.default_rng(number).normal(size=100_000)) for number in range(2))
    tracemalloc.start()
    test(Mean(), [a], [b], samples=100, seed=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6


@pytest.mark.parametrize("test", TESTS)
def test_a_thousand_resamples_of_the_scan_test_set_take_less_than_a_second(test):
    a, b = (np.random.default_rng(number).integers(1, 20, size=(4182, 10)).astype(float) for number in range(2))
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        test(BLEU(), [a, a], [b, b], samples=1000, seed=1)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1


def test_bootstrap_does_not_depend_on_chunks(monkeypatch):
    a, b = ([rows(np.random.default_rng(number).normal(size=50))] for number in range(2))
    whole = paired_bootstrap(Mean(), a, b, samples=100, seed=1)
    monkeypatch.setattr(significance, "CHUNK_ELEMENTS", 350)
    parts = paired_bootstrap(Mean(), a, b, samples=100, seed=1)
    assert (parts.low, parts.high, parts.p_value) == pytest.approx((whole.low, whole.high, whole.p_value))


def test_holm_multiplies_the_smallest_most_and_keeps_the_order():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_lies_between_the_raw_value_and_bonferroni():
    p_values = np.random.default_rng(3).uniform(size=12)
    adjusted = np.array(holm(p_values.tolist()))
    assert (p_values <= adjusted).all()
    assert (adjusted <= np.minimum(1, 12 * p_values) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(p_values)]) >= 0).all()


def test_holm_keeps_false_findings_below_the_level():
    trials = np.random.default_rng(5).uniform(size=(2000, 8))
    found = np.mean([min(holm(p_values.tolist())) < 0.05 for p_values in trials])
    assert found < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 2000)


def test_holm_refuses_what_is_no_probability():
    with pytest.raises(RequestError, match=r"p-value is 1\.5"):
        holm([0.5, 1.5])
