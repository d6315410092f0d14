"""Samples follow the model's distribution, or the restricted one, in any batch."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy import stats

from s2s_lab.decoding.greedy import GreedySearch
from s2s_lab.decoding.sampling import Sampling

ALLOWED = [1, 4, 5]


def restricted(toy: Any, ids: tuple[int, ...], finished: bool, strategy: Sampling) -> float:
    """The probability of an output of sentence 0, symbol by symbol, by the definitions."""
    given = toy.arguments([0])
    state, total, previous = given["state"], 1.0, 2
    for symbol in (*ids, 3) if finished else ids:
        scores, state, _ = toy.step(torch.tensor([previous]), state, given["memory"])
        logits = scores[0] / strategy.temperature
        logits[[0, 2]] = -torch.inf
        probabilities, order = logits.softmax(-1).sort(descending=True)
        kept = torch.arange(len(order)) < (strategy.top_k or len(order))
        probabilities = probabilities * kept / (probabilities * kept).sum()
        probabilities = probabilities * (probabilities.cumsum(-1) - probabilities < strategy.top_p - 1e-12)
        probabilities = probabilities / probabilities.sum()
        total *= float(probabilities[(order == symbol).nonzero().item()])
        previous = symbol
    return total


@pytest.mark.parametrize(
    "options", [{}, {"temperature": 0.6}, {"top_k": 2}, {"top_p": 0.8}, {"temperature": 1.5, "top_k": 3, "top_p": 0.7}]
)
def test_frequencies_match_the_enumerated_distribution(
    make_toy: Callable[..., Any], special_ids: dict[str, Any], options: dict[str, Any]
) -> None:
    toy = make_toy(vocab=6, batch=1, ends=0.5, sharpness=0.4)
    num = 4000
    strategy = Sampling(**special_ids, max_length=3, num_samples=num, seed=7, **options)
    (samples,) = strategy.decode(**toy.arguments())
    counts = Counter((sample.ids, sample.finished) for sample in samples)
    space = {(ids, done): restricted(toy, ids, done, strategy) for ids, done, _ in toy.space(0, 3, ALLOWED)}
    assert sum(space.values()) == pytest.approx(1)
    assert all(space[output] > 0 for output in counts)
    frequent = [output for output, probability in space.items() if probability * num >= 5]
    assert len(frequent) >= 4
    rest = 1 - sum(space[output] for output in frequent)
    observed = [counts[output] for output in frequent]
    expected = [space[output] * num for output in frequent]
    if rest * num >= 1:
        observed, expected = [*observed, num - sum(observed)], [*expected, rest * num]
    expected = [value * sum(observed) / sum(expected) for value in expected]
    assert stats.chisquare(observed, expected).pvalue > 0.001


def test_the_first_samples_do_not_depend_on_how_many_are_drawn(
    make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    toy = make_toy(ends=0.5)
    few, many = (Sampling(**special_ids, num_samples=num, max_length=10).decode(**toy.arguments()) for num in (2, 5))
    for some, all_of_them in zip(few, many, strict=True):
        assert not Counter(sample.ids for sample in some) - Counter(sample.ids for sample in all_of_them)


def test_another_seed_draws_other_samples(make_toy: Callable[..., Any], special_ids: dict[str, Any]) -> None:
    toy = make_toy()
    drawn = [Sampling(**special_ids, seed=seed, max_length=10).decode(**toy.arguments()) for seed in (1, 2, 1)]
    assert drawn[0] == drawn[2] != drawn[1]


@pytest.mark.parametrize("options", [{"temperature": 1e-6}, {"top_k": 1}, {"top_p": 1e-9}])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_towards_zero_temperature_one_candidate_or_no_mass_sampling_is_greedy(
    make_toy: Callable[..., Any], special_ids: dict[str, Any], options: dict[str, Any], dtype: torch.dtype
) -> None:
    toy = make_toy(ends=0.5, dtype=dtype)
    drawn = Sampling(**special_ids, **options, num_samples=2, max_length=20).decode(**toy.arguments())
    greedy = GreedySearch(**special_ids, max_length=20).decode(**toy.arguments())
    for samples, (expected,) in zip(drawn, greedy, strict=True):
        assert [sample.ids for sample in samples] == [expected.ids] * 2
        assert [sample.log_prob for sample in samples] == pytest.approx([expected.log_prob] * 2, abs=1e-4)
