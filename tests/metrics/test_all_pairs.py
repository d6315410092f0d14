"""Tests of all pairs at once are the tests of each pair."""

import itertools

import numpy as np
import pytest

from s2s_lab.faults import RequestError
from s2s_lab.metrics import all_pairs
from s2s_lab.metrics.all_pairs import TESTS, Test, paired_tests
from s2s_lab.metrics.bleu import BLEU
from s2s_lab.metrics.exact_match import ExactMatch
from s2s_lab.metrics.significance import approximate_randomization, paired_bootstrap

SINGLE = {"bootstrap": paired_bootstrap, "randomization": approximate_randomization}


def systems(count: int, seeds: int, k: int) -> list[list[np.ndarray]]:
    generator = np.random.default_rng(1)
    if k == 2:
        made = generator.random((count, seeds, 60)) < np.linspace(0.3, 0.9, count)[:, None, None]
        return [[np.stack([line, np.ones(60)], axis=1) for line in system] for system in made.astype(float)]
    return [list(system) for system in generator.integers(1, 9, size=(count, seeds, 60, k)).astype(float)]


@pytest.mark.parametrize("block", [1, 500, 10_000_000])
@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize(("metric", "k"), [(ExactMatch(), 2), (BLEU(), 10)])
def test_each_pair_is_tested_as_if_alone(
    metric, k: int, test: Test, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(all_pairs, "BLOCK_ELEMENTS", block)
    made = systems(4, 2, k)
    pairs = list(itertools.permutations(range(4), 2))
    found = paired_tests(metric, made, pairs, test=test, samples=150, seed=7)
    assert list(found) == pairs
    for a, b in pairs:
        alone = SINGLE[test](metric, made[a], made[b], samples=150, seed=7)
        assert found[a, b].p_value == alone.p_value
        assert (found[a, b].difference, found[a, b].low, found[a, b].high, found[a, b].effect) == pytest.approx(
            (alone.difference, alone.low, alone.high, alone.effect)
        )


def test_systems_may_have_different_numbers_of_seeds_in_the_bootstrap_alone() -> None:
    made = [systems(2, 3, 2)[0], systems(2, 1, 2)[1]]
    alone = paired_bootstrap(ExactMatch(), *made, samples=50, seed=1)
    assert paired_tests(ExactMatch(), made, [(0, 1)], samples=50, seed=1)[0, 1].p_value == alone.p_value
    with pytest.raises(RequestError, match="3 and 1 seeds"):
        paired_tests(ExactMatch(), made, [(0, 1)], test="randomization", samples=50, seed=1)


def test_the_effect_over_sentences_is_that_of_paired_values_and_does_not_grow_with_them() -> None:
    generator = np.random.default_rng(2)
    effects = []
    for sentences in (400, 1600):
        difference = generator.normal(0.3, 1.0, size=sentences)
        a, b = (np.stack([values, np.ones(sentences)], axis=1) for values in (difference, 0 * difference))
        effect = paired_bootstrap(ExactMatch(), [a], [b], samples=2000, seed=1).effect
        assert effect == pytest.approx(difference.mean() / difference.std(), rel=0.07)
        effects.append(effect)
    assert effects[0] == pytest.approx(effects[1], abs=0.15)
    assert paired_bootstrap(ExactMatch(), [a], [a], samples=20, seed=1).effect == 0


@pytest.mark.parametrize(
    ("made", "samples", "message"),
    [
        ([[np.ones((5, 2))], [np.ones((6, 2))]], 10, "statistics have shapes"),
        ([[np.ones((0, 2))], [np.ones((0, 2))]], 10, "statistics have shapes"),
        ([[np.ones((5, 2))], []], 10, "no seed"),
        ([[np.ones((5, 2))], [np.ones((5, 2))]], 0, "samples is 0"),
    ],
)
def test_what_cannot_be_paired_is_refused(made, samples: int, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        paired_tests(ExactMatch(), made, [(0, 1)], samples=samples, seed=1)
