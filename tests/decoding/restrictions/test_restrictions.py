"""Every restriction against its paper's definition, written plainly in float64, and whole outputs drawn under it."""

import itertools
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy import stats

from s2s_lab.decoding.restrictions.base import Restriction
from s2s_lab.decoding.restrictions.epsilon import Epsilon
from s2s_lab.decoding.restrictions.eta import Eta
from s2s_lab.decoding.restrictions.min_p import MinP
from s2s_lab.decoding.restrictions.nucleus import Nucleus
from s2s_lab.decoding.restrictions.top_k import TopK
from s2s_lab.decoding.restrictions.typical import Typical
from s2s_lab.decoding.sampling import Sampling
from s2s_lab.faults import RequestError

Definition = Callable[[list[float]], set[int]]


def by_rank(probabilities: list[float], key: Callable[[float], float]) -> list[int]:
    return sorted(range(len(probabilities)), key=lambda symbol: (key(probabilities[symbol]), symbol))


def until(order: list[int], probabilities: list[float], mass: float) -> set[int]:
    """The shortest beginning of an order that has the mass."""
    for count in range(1, len(order)):
        if sum(probabilities[symbol] for symbol in order[:count]) >= mass:
            return set(order[:count])
    return set(order)


def surprise(probability: float) -> float:
    return -math.log(probability) if probability else math.inf


def expected_surprise(probabilities: list[float]) -> float:
    return sum(probability * surprise(probability) for probability in probabilities if probability)


def first_k(k: int) -> Definition:
    return lambda p: set(by_rank(p, lambda each: -each)[:k])


def nucleus(mass: float) -> Definition:
    return lambda p: until(by_rank(p, lambda each: -each), p, mass)


def typical(mass: float) -> Definition:
    def kept(p: list[float]) -> set[int]:
        middle = expected_surprise(p)
        return until(by_rank(p, lambda each: abs(surprise(each) - middle)), p, mass)

    return kept


def above(p: list[float], bound: float) -> set[int]:
    return {symbol for symbol, each in enumerate(p) if each > bound} or {p.index(max(p))}


def epsilon(value: float) -> Definition:
    return lambda p: above(p, value)


def eta(value: float) -> Definition:
    return lambda p: above(p, min(value, math.sqrt(value) * math.exp(-expected_surprise(p))))


def min_p(share: float) -> Definition:
    return lambda p: {symbol for symbol, each in enumerate(p) if each >= share * max(p)}


CASES: list[tuple[Restriction, Definition]] = [
    (TopK(k=1), first_k(1)),
    (TopK(k=3), first_k(3)),
    (TopK(k=100), first_k(100)),
    (Nucleus(p=0.3), nucleus(0.3)),
    (Nucleus(p=0.9), nucleus(0.9)),
    (Typical(mass=0.05), typical(0.05)),
    (Typical(mass=0.5), typical(0.5)),
    (Typical(mass=0.95), typical(0.95)),
    (Epsilon(epsilon=0.05), epsilon(0.05)),
    (Epsilon(epsilon=0.9), epsilon(0.9)),
    (Eta(epsilon=0.03), eta(0.03)),
    (Eta(epsilon=0.3), eta(0.3)),
    (MinP(p=0.2), min_p(0.2)),
    (MinP(p=1.0), min_p(1.0)),
]
every_case = pytest.mark.parametrize(("restriction", "definition"), CASES, ids=[case[0].signature() for case in CASES])


@every_case
@pytest.mark.parametrize("spread", [0.3, 1.5, 6.0])
@pytest.mark.parametrize("symbols", [7, 600])
def test_it_keeps_what_the_definition_keeps_with_unchanged_ratios(
    restriction: Restriction, definition: Definition, spread: float, symbols: int
) -> None:
    log_probs = torch.randn(40, symbols, dtype=torch.float64) * spread
    log_probs[:, ::5] = -torch.inf
    left = restriction.restrict(log_probs)
    normalised = log_probs.log_softmax(-1)
    for row, probabilities in enumerate(normalised.exp().tolist()):
        possible = {symbol for symbol, each in enumerate(probabilities) if each}
        kept = (left[row] > -torch.inf).nonzero().squeeze(1)
        assert set(kept.tolist()) == definition(probabilities) & possible
        torch.testing.assert_close(left[row, kept], normalised[row, kept])


@every_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_something_always_stays_and_it_is_possible(
    restriction: Restriction, definition: Definition, dtype: torch.dtype
) -> None:
    flat, peaked, single = torch.zeros(3, 300, dtype=dtype).unbind()
    peaked[4] = 200.0
    single[:] = -torch.inf
    single[7] = -300.0
    left = restriction.restrict(torch.stack((flat, peaked, single)))
    assert bool((left > -torch.inf).any(-1).all())
    assert (left[2] > -torch.inf).nonzero().tolist() == [[7]] and float(left[1, 4]) == 0


def test_typical_may_leave_out_the_most_probable_symbol_and_the_others_may_not() -> None:
    log_probs = torch.tensor([[0.3, *[0.1] * 7]], dtype=torch.float64).log()
    for restriction, _ in CASES:
        kept = bool(restriction.restrict(log_probs)[0, 0] > -torch.inf)
        assert kept or isinstance(restriction, Typical)
    assert Typical(mass=0.5).restrict(log_probs)[0, 0] == -torch.inf


@pytest.mark.parametrize("make", [lambda value: Nucleus(p=value), lambda value: Typical(mass=value),
                                  lambda value: Epsilon(epsilon=value), lambda value: Eta(epsilon=value),
                                  lambda value: MinP(p=value)])  # fmt: skip
@pytest.mark.parametrize("value", [0, -0.1, 1.01, math.nan, "a", True])
def test_a_share_out_of_range_is_refused_in_one_line(make: Callable[[Any], Restriction], value: Any) -> None:
    with pytest.raises(
        RequestError, match=r"decoding\.restriction\.\w+ is .*, expected a number above 0 and at most 1"
    ):
        make(value)


@pytest.mark.parametrize("value", [0, -1, 2.5, True, None])
def test_a_number_of_symbols_out_of_range_is_refused_in_one_line(value: Any) -> None:
    with pytest.raises(RequestError, match=r"decoding\.restriction\.k is .*, expected a whole number of at least 1"):
        TopK(k=value)


@pytest.mark.parametrize("given", [0.5, "top_k", None, [TopK(), 3], {"k": 3}])
def test_what_is_no_restriction_is_refused_in_one_line(special_ids: dict[str, Any], given: Any) -> None:
    with pytest.raises(RequestError, match=r"decoding\.restriction is .*, expected a Restriction"):
        Sampling(**special_ids, restriction=given)


def probability(toy: Any, ids: tuple[int, ...], finished: bool, options: dict[str, Any], definitions: Any) -> float:
    """The probability of an output of sentence 0, symbol by symbol, by the definitions."""
    given = toy.arguments([0])
    state, total = given["state"], 1.0
    for previous, symbol in itertools.pairwise((2, *ids, *((3,) if finished else ()))):
        scores, state, _ = toy.step(torch.tensor([previous]), state, given["memory"])
        logits = scores[0] / options.get("temperature", 1.0)
        logits[[0, 2]] = -torch.inf
        weights = logits.softmax(-1).tolist()
        for definition in definitions:
            kept = definition(weights)
            mass = sum(weights[each] for each in kept)
            weights = [weight / mass if each in kept else 0.0 for each, weight in enumerate(weights)]
        total *= weights[symbol]
    return total


@pytest.mark.parametrize(
    ("restriction", "options", "definitions"),
    [
        (TopK(k=2), {}, [first_k(2)]),
        (Nucleus(p=0.7), {}, [nucleus(0.7)]),
        (Typical(mass=0.4), {}, [typical(0.4)]),
        (Epsilon(epsilon=0.15), {}, [epsilon(0.15)]),
        (Eta(epsilon=0.4), {}, [eta(0.4)]),
        (MinP(p=0.25), {"temperature": 0.8}, [min_p(0.25)]),
        ([TopK(k=3), Typical(mass=0.6)], {"temperature": 1.3}, [first_k(3), typical(0.6)]),
        ([Typical(mass=0.6), TopK(k=3)], {"temperature": 1.3}, [typical(0.6), first_k(3)]),
        (Epsilon(epsilon=0.2), {"top_k": 3, "top_p": 0.95}, [first_k(3), nucleus(0.95), epsilon(0.2)]),
    ],
    ids=["top_k", "nucleus", "typical", "epsilon", "eta", "min_p", "top_k_typical", "typical_top_k", "top_p_epsilon"],
)
def test_frequencies_of_whole_outputs_match_the_enumerated_distribution(
    make_toy: Callable[..., Any],
    special_ids: dict[str, Any],
    restriction: Any,
    options: dict[str, Any],
    definitions: list[Definition],
) -> None:
    toy = make_toy(vocab=6, batch=1, ends=0.5, sharpness=0.4)
    num = 4000
    strategy = Sampling(**special_ids, max_length=3, num_samples=num, seed=5, restriction=restriction, **options)
    (samples,) = strategy.decode(**toy.arguments())
    counts = Counter((sample.ids, sample.finished) for sample in samples)
    space = {
        (ids, done): probability(toy, ids, done, options, definitions) for ids, done, _ in toy.space(0, 3, [1, 4, 5])
    }
    assert sum(space.values()) == pytest.approx(1)
    assert all(space[output] > 0 for output in counts)
    frequent = [output for output, each in space.items() if each * num >= 5]
    rest = 1 - sum(space[output] for output in frequent)
    observed, expected = [counts[output] for output in frequent], [space[output] * num for output in frequent]
    if rest * num >= 1:
        observed, expected = [*observed, num - sum(observed)], [*expected, rest * num]
    expected = [value * sum(observed) / sum(expected) for value in expected]
    assert 3 <= len(observed) < 40 and stats.chisquare(observed, expected).pvalue > 0.001


def test_no_restriction_leaves_signature_and_samples_as_they_are(
    make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    toy = make_toy()
    plain, several = Sampling(**special_ids, top_k=3), Sampling(**special_ids, restriction=[TopK(k=3), MinP(p=0.2)])
    assert plain.signature() == Sampling(**special_ids, top_k=3, restriction=[]).signature()
    assert "restriction" not in plain.signature()
    assert "|restriction:top_k:3|restriction:min_p:0.2|" in several.signature()
    assert plain.decode(**toy.arguments()) == Sampling(**special_ids, top_k=3, restriction=()).decode(**toy.arguments())
