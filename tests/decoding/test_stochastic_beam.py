"""Stochastic beam search draws without replacement from the enumerated distribution, as its numbers say."""

import itertools
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from s2s_lab.decoding.base import Drawn, Hypothesis
from s2s_lab.decoding.stochastic_beam import StochasticBeam
from s2s_lab.decoding.without_replacement import estimate, inclusion_probabilities
from s2s_lab.faults import RequestError

Output = tuple[tuple[int, ...], bool]
LIMIT, REPEATS = 3, 4000
ALLOWED = [1, 4]


def repeated(toy: Any, repeats: int = REPEATS) -> dict[str, Any]:
    """The toy's first sentence many times, each as another sentence of the split."""
    return toy.arguments([0] * repeats) | {"sentence_index": torch.arange(repeats)}


def drawn_from(toy: Any, strategy: StochasticBeam) -> dict[Output, float]:
    """Each output's probability in the distribution that is drawn from, symbol by symbol."""
    space = {}
    for ids, finished, _ in toy.space(0, LIMIT, ALLOWED):
        given = toy.arguments([0])
        state, total = given["state"], 1.0
        for step, (previous, symbol) in enumerate(itertools.pairwise((2, *ids, *((3,) if finished else ())))):
            scores, state, _ = toy.step(torch.tensor([previous]), state, given["memory"])
            logits = scores[0] / strategy.temperature
            logits[[0, 2]] = -torch.inf
            if step < strategy.min_length:
                logits[3] = -torch.inf
            total *= float(logits.softmax(-1)[symbol])
        space[ids, finished] = total
    assert sum(space.values()) == pytest.approx(1)
    return space


def name(hypothesis: Hypothesis) -> Output:
    return hypothesis.ids, hypothesis.finished


def numbers(hypothesis: Hypothesis) -> Drawn:
    assert hypothesis.drawn is not None
    return hypothesis.drawn


def check(counts: Counter[Any], expected: dict[Any, float], total: int) -> None:
    """A chi-square test, what is rare put together."""
    assert all(expected[key] > 0 for key in counts)
    frequent = [key for key, probability in expected.items() if probability * total >= 5]
    rest = 1 - sum(expected[key] for key in frequent)
    observed = [counts[key] for key in frequent]
    awaited = [expected[key] * total for key in frequent]
    if rest * total >= 1:
        observed, awaited = [*observed, total - sum(observed)], [*awaited, rest * total]
    awaited = [value * sum(observed) / sum(awaited) for value in awaited]
    assert len(observed) > 3 and stats.chisquare(observed, awaited).pvalue > 0.001


@pytest.fixture
def toy(make_toy: Callable[..., Any]) -> Any:
    return make_toy(vocab=5, batch=1, ends=0.5, sharpness=0.5)


OPTIONS = [{}, {"temperature": 0.6}, {"temperature": 1.7, "min_length": 1}]
every_option = pytest.mark.parametrize("options", OPTIONS, ids=str)


@every_option
def test_pairs_come_as_often_and_in_the_order_that_drawing_without_replacement_gives(
    toy: Any, special_ids: dict[str, Any], options: dict[str, Any]
) -> None:
    strategy = StochasticBeam(**special_ids, num_samples=2, max_length=LIMIT, seed=3, **options)
    space = drawn_from(toy, strategy)
    decoded = strategy.decode(**repeated(toy))
    pairs = Counter((name(first), name(second)) for first, second in decoded)
    expected = {(a, b): p * q / (1 - p) for a, p in space.items() for b, q in space.items() if a != b}
    check(pairs, expected, REPEATS)


@every_option
def test_the_numbers_of_a_hypothesis_are_what_they_are_called(
    toy: Any, special_ids: dict[str, Any], options: dict[str, Any]
) -> None:
    strategy = StochasticBeam(**special_ids, num_samples=4, max_length=LIMIT, seed=3, **options)
    space = drawn_from(toy, strategy)
    for found in strategy.decode(**repeated(toy, 50)):
        assert len({numbers(hypothesis).threshold for hypothesis in found}) == 1
        for hypothesis in found:
            assert math.exp(numbers(hypothesis).log_prob) == pytest.approx(space[name(hypothesis)])
            assert numbers(hypothesis).threshold <= hypothesis.score


@pytest.mark.parametrize("size", [1, 2, 5])
def test_fewer_samples_are_the_first_of_more_and_their_threshold_the_score_of_the_next(
    toy: Any, special_ids: dict[str, Any], size: int
) -> None:
    few, more = (
        StochasticBeam(**special_ids, num_samples=num, max_length=LIMIT).decode(**repeated(toy, 100))
        for num in (size, size + 1)
    )
    for short, long in zip(few, more, strict=True):
        assert [name(each) for each in short] == [name(each) for each in long[:size]]
        assert [each.score for each in short] == pytest.approx([each.score for each in long[:size]], abs=1e-9)
        assert numbers(short[0]).threshold == pytest.approx(long[size].score, abs=1e-9)


@pytest.mark.parametrize("size", [14, 15, 40])
def test_as_many_samples_as_there_are_outputs_give_every_output_once(
    toy: Any, special_ids: dict[str, Any], size: int
) -> None:
    space = {(ids, finished): log_prob for ids, finished, log_prob in toy.space(0, LIMIT, ALLOWED)}
    assert len(space) == 15
    for found in StochasticBeam(**special_ids, num_samples=size, max_length=LIMIT).decode(**repeated(toy, 20)):
        assert len(found) == min(size, 15) == len({name(each) for each in found})
        assert {name(each) for each in found} <= space.keys()
        assert [each.log_prob for each in found] == pytest.approx([space[name(each)] for each in found], abs=1e-9)
        assert (numbers(found[0]).threshold == -math.inf) == (size >= 15)


def test_perturbations_of_whole_outputs_are_independent_standard_gumbel_numbers(
    toy: Any, special_ids: dict[str, Any]
) -> None:
    found = StochasticBeam(**special_ids, num_samples=15, max_length=LIMIT, seed=2).decode(**repeated(toy, 1500))
    noise: dict[Output, list[float]] = {}
    for hypotheses in found:
        for each in hypotheses:
            noise.setdefault(name(each), []).append(each.score - numbers(each).log_prob)
    table = np.array(list(noise.values()))  # (outputs, repeats)
    assert table.shape == (15, 1500)
    assert min(stats.kstest(row, "gumbel_r").pvalue for row in table) > 0.001 / 15
    correlations = np.corrcoef(table) - np.eye(15)
    assert np.abs(correlations).max() < 4.5 / math.sqrt(1500)


@pytest.mark.parametrize("size", [1, 3, 6])
def test_inclusion_probabilities_and_estimates_are_unbiased(toy: Any, special_ids: dict[str, Any], size: int) -> None:
    strategy = StochasticBeam(**special_ids, num_samples=size, max_length=LIMIT, seed=6)
    space = drawn_from(toy, strategy)
    decoded = strategy.decode(**repeated(toy))
    log_probs = torch.tensor([[numbers(each).log_prob for each in found] for found in decoded], dtype=torch.float64)
    threshold = torch.tensor([numbers(found[0]).threshold for found in decoded], dtype=torch.float64)
    inclusion = inclusion_probabilities(log_probs, threshold.unsqueeze(1))
    for output, probability in space.items():
        hit = torch.tensor([[name(each) == output for each in found] for found in decoded])
        if probability > 0.02:  # included as often as q says: the mean of 1 / q is 1
            assert stats.ttest_1samp((hit / inclusion).sum(1).numpy(), 1.0).pvalue > 0.0005
    for value in (lambda ids, finished: len(ids), lambda ids, finished: float(ids.count(4)) - 2 * finished):
        values = torch.tensor([[value(*name(each)) for each in found] for found in decoded], dtype=torch.float64)
        truth = sum(probability * value(*output) for output, probability in space.items())
        assert stats.ttest_1samp(estimate(values, log_probs, threshold).numpy(), truth).pvalue > 0.0005
        normalised = estimate(values, log_probs, threshold, normalised=True)
        assert bool((normalised <= values.amax(1) + 1e-9).all() and (normalised >= values.amin(1) - 1e-9).all())


def test_another_seed_draws_other_samples(make_toy: Callable[..., Any], special_ids: dict[str, Any]) -> None:
    toy = make_toy()
    drawn = [StochasticBeam(**special_ids, seed=seed, max_length=10).decode(**toy.arguments()) for seed in (1, 2, 1)]
    assert drawn[0] == drawn[2] != drawn[1]


def test_a_hypothesis_without_any_continuation_dies_and_the_others_live(special_ids: dict[str, Any]) -> None:
    table = torch.zeros(5, 5, dtype=torch.float64)
    table[4, [1, 3, 4]] = -torch.inf  # after 4 only what is banned
    for temperature in (1.0, 0.5):
        strategy = StochasticBeam(**special_ids, num_samples=6, max_length=2, temperature=temperature)
        (found,) = strategy.decode(
            lambda previous, state, memory: (table.index_select(0, previous), state, None),
            torch.zeros(1),
            (),
            source_lengths=torch.tensor([4]),
            sentence_index=torch.tensor([0]),
        )
        assert {name(each) for each in found} == {((), True), ((1,), True), ((1, 1), False), ((1, 4), False)}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"num_samples": 0}, "num_samples is 0, expected a whole number of at least 1"),
        ({"temperature": 0}, "temperature is 0, expected a number above 0"),
        ({"seed": -1}, "seed is -1, expected a whole number of at least 0"),
    ],
)
def test_options_out_of_range_are_refused(special_ids: dict[str, Any], options: dict[str, Any], expected: str) -> None:
    with pytest.raises(RequestError, match=expected):
        StochasticBeam(**special_ids, **options)
