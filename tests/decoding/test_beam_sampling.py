"""Beam sampling against beam search, against lists with the same noise, and against the chances it promises."""

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy import stats

from s2s_lab.decoding import noise
from s2s_lab.decoding.beam import STOPPING_RULES, BeamSearch
from s2s_lab.decoding.beam_sampling import BeamSampling
from s2s_lab.decoding.constraints.no_repeat import NoRepeat
from s2s_lab.decoding.length_penalty import Average, NoPenalty, WordReward
from s2s_lab.faults import RequestError
from tests.decoding.plain_beam import Entry, PlainBeam

by_rule = pytest.mark.parametrize("stopping", STOPPING_RULES)


@by_rule
@pytest.mark.parametrize("penalty", [NoPenalty(), Average(), WordReward(reward=0.5)], ids=lambda each: each.name)
@pytest.mark.parametrize("constraints", [(), (NoRepeat(size=2),)], ids=["free", "constrained"])
def test_towards_temperature_zero_it_is_beam_search(
    make_toy: Callable[..., Any], special_ids: dict[str, Any], stopping: Any, penalty: Any, constraints: Any
) -> None:
    toy = make_toy(vocab=11, batch=9, ends=0.5)
    options: dict[str, Any] = special_ids | {
        "size": 4,
        "num_hypotheses": 3,
        "max_length": 12,
        "length_penalty": penalty,
    }
    options |= {"stopping": stopping, "constraints": constraints}
    plain = BeamSearch(**options).decode(**toy.arguments())
    assert BeamSampling(**options, temperature=1e-10).decode(**toy.arguments()) == plain


def drawn(children: list[list[Entry]], strategy: BeamSampling, sentence: int) -> list[Entry]:
    """The candidates with the largest perturbed sums, by their own sums; the noise is that of their own symbols."""
    perturbed = []
    for entry in itertools.chain.from_iterable(children):
        key = noise.sample_keys(strategy.seed, torch.tensor([sentence]), 1)[0]
        for symbol in (2, *entry.ids[:-1]):
            key = noise.child_keys(key, torch.tensor([symbol]))
        number = float(noise.gumbel(key, torch.tensor([entry.ids[-1]])))
        perturbed.append((entry.value / strategy.temperature + number, entry))
    chosen = sorted(perturbed, key=lambda pair: -pair[0])[: 2 * strategy.size]
    return sorted((entry for _, entry in chosen), key=lambda entry: -entry.value)


@by_rule
@pytest.mark.parametrize(("size", "num", "temperature"), [(1, 1, 1.0), (2, 2, 0.5), (4, 3, 2.0)])
def test_it_equals_drawing_with_lists(
    make_toy: Callable[..., Any], special_ids: dict[str, Any], stopping: Any, size: int, num: int, temperature: float
) -> None:
    toy, limit = make_toy(vocab=8, batch=4, ends=0.5), 6
    options: dict[str, Any] = {"size": size, "num_hypotheses": num, "temperature": temperature, "stopping": stopping}
    strategy = BeamSampling(**special_ids, **options, seed=4, max_length=limit)
    for sentence, found in enumerate(strategy.decode(**toy.arguments())):
        plain = PlainBeam(toy, sentence, strategy, limit)
        while not plain.done:
            plain.take(drawn(plain.children(), strategy, sentence))
        assert [(each.ids, each.finished) for each in found] == [entry[1:3] for entry in plain.best()]
        assert [each.log_prob for each in found] == pytest.approx([entry[3] for entry in plain.best()], abs=1e-9)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_pairs_of_candidates_come_as_often_as_drawing_without_replacement_gives(
    make_toy: Callable[..., Any], special_ids: dict[str, Any], temperature: float
) -> None:
    """With one place and one step the better of the two candidates drawn is the output."""
    toy, repeats = make_toy(vocab=7, batch=1, sharpness=0.5), 5000
    strategy = BeamSampling(**special_ids, size=1, max_length=1, temperature=temperature, seed=2)
    given = toy.arguments([0] * repeats) | {"sentence_index": torch.arange(repeats)}
    found = Counter((each.ids, each.finished) for (each,) in strategy.decode(**given))
    log_probs = {(ids, done): log_prob for ids, done, log_prob in toy.space(0, 1, [1, 4, 5, 6])}
    weights = {output: torch.tensor(log_prob / temperature).exp().item() for output, log_prob in log_probs.items()}
    chances = {output: weight / sum(weights.values()) for output, weight in weights.items()}
    expected = dict.fromkeys(chances, 0.0)
    for first, second in itertools.permutations(chances, 2):
        best = max(first, second, key=lambda output: log_probs[output])
        expected[best] += chances[first] * chances[second] / (1 - chances[first]) * repeats
    least = min(log_probs, key=lambda output: log_probs[output])
    assert found[least] == expected[least] == 0  # of two it is never the better one
    observed, awaited = zip(*((found[output], expected[output]) for output in expected if output != least), strict=True)
    assert stats.chisquare(observed, awaited).pvalue > 0.001


def test_another_seed_draws_other_candidates(make_toy: Callable[..., Any], special_ids: dict[str, Any]) -> None:
    toy = make_toy()
    options: dict[str, Any] = special_ids | {"size": 3, "num_hypotheses": 3, "temperature": 3.0, "max_length": 10}
    decoded = [BeamSampling(**options, seed=seed).decode(**toy.arguments()) for seed in (1, 2, 1)]
    assert decoded[0] == decoded[2] != decoded[1]


@pytest.mark.parametrize(
    ("options", "expected"), [({"temperature": 0}, "temperature is 0"), ({"seed": -1}, "seed is -1")]
)
def test_options_out_of_range_are_refused(special_ids: dict[str, Any], options: dict[str, Any], expected: str) -> None:
    with pytest.raises(RequestError, match=expected):
        BeamSampling(**special_ids, **options)
