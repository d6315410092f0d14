"""Exact and best-first search: against plain enumeration, within budgets, and what they say of their proofs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.best_first import BestFirstSearch
from s2s_lab.decoding.constraints.no_repeat import NoRepeat
from s2s_lab.decoding.exact import ExactSearch
from s2s_lab.decoding.length_penalty import NoPenalty
from s2s_lab.decoding.tree_search import TreeSearch
from s2s_lab.faults import RequestError

Output = tuple[tuple[int, ...], bool, float]
LIMIT, ALLOWED = 4, [1, 4]
SHORT = {"max_length": LIMIT, "max_length_ratio": None}
every_search = pytest.mark.parametrize("strategy", [ExactSearch, BestFirstSearch])


def prefixes_of(toy: Any, sentence: int, limit: int, allowed: list[int]) -> dict[tuple[int, ...], tuple[float, float]]:
    """The log-probability of each prefix, and of the output that ends there; every length is enumerated in one step."""
    arguments = toy.arguments([sentence])
    prefixes, sums = [()], torch.zeros(1, dtype=torch.float64)
    previous, state, found = torch.tensor([2]), arguments["state"], {}
    for _ in range(limit):
        scores, state, _ = toy.step(previous, state, arguments["memory"])
        grown = sums.unsqueeze(1) + scores.log_softmax(-1)
        found |= zip(prefixes, zip(sums.tolist(), grown[:, 3].tolist(), strict=True), strict=True)
        prefixes = [(*ids, symbol) for ids in prefixes for symbol in allowed]
        sums = grown[:, allowed].flatten()
        previous = torch.tensor(allowed).repeat(len(prefixes) // len(allowed))
        rows = torch.arange(len(prefixes)) // len(allowed)
        state = ((state[0][0][rows],), state[1][rows])
    return found | {ids: (log_prob, -math.inf) for ids, log_prob in zip(prefixes, sums.tolist(), strict=True)}


def ranked(toy: Any, sentence: int, limit: int = LIMIT, allowed: Sequence[int] = ALLOWED) -> list[Output]:
    """All outputs, the most probable first."""
    outputs: list[Output] = []
    for ids, (log_prob, ended) in prefixes_of(toy, sentence, limit, list(allowed)).items():
        outputs.append((ids, False, log_prob) if len(ids) == limit else (ids, True, ended))
    return sorted(outputs, key=lambda output: -output[2])


@every_search
@pytest.mark.parametrize("start_size", [1, 3])
@pytest.mark.parametrize("nodes", [1, 3])
def test_it_finds_the_best_outputs_of_all_and_says_so(
    strategy: type[TreeSearch], nodes: int, start_size: int, make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    beaten = 0
    for seed in range(4):
        toy = make_toy(vocab=5, seed=seed, ends=0.3, sharpness=0.7)
        search = strategy(**special_ids, **SHORT, nodes_at_once=nodes, start_size=start_size, num_hypotheses=4)
        greedy = BeamSearch(**special_ids, **SHORT, size=1, length_penalty=NoPenalty()).decode(**toy.arguments())
        for sentence, found in enumerate(search.decode(**toy.arguments())):
            expected = ranked(toy, sentence)[:4]
            assert [(each.ids, each.finished) for each in found] == [(ids, ended) for ids, ended, _ in expected]
            assert [each.log_prob for each in found] == pytest.approx([each[2] for each in expected], abs=1e-9)
            assert [each.optimal for each in found] == [True] * 4
            beaten += greedy[sentence][0].log_prob < found[0].log_prob - 1e-9
    assert beaten > 3


@every_search
def test_with_too_small_a_budget_it_is_never_worse_than_its_start_and_claims_only_what_is_so(
    strategy: type[TreeSearch], make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    unproved = 0
    for seed, budget in itertools.product(range(2), (1, 3, 8, 100)):
        toy = make_toy(vocab=6, seed=seed, sharpness=0.4)
        limits = {"max_length": 5, "max_length_ratio": None}
        start = BeamSearch(**special_ids, **limits, size=3, num_hypotheses=3, length_penalty=NoPenalty())
        started = start.decode(**toy.arguments())
        toy.calls.clear()
        search = strategy(**special_ids, **limits, budget=budget, start_size=3, num_hypotheses=3)
        for sentence, found in enumerate(search.decode(**toy.arguments())):
            space = ranked(toy, sentence, 5, [1, 4, 5])
            assert len({(each.ids, each.finished) for each in found}) == 3
            for place, (each, before) in enumerate(zip(found, started[sentence], strict=True)):
                assert each.log_prob >= before.log_prob - 1e-9
                assert each.ids == space[place][0] or not each.optimal
                unproved += each.optimal is False
            assert budget < 100 or all(each.optimal for each in found)
    assert unproved > 5


@every_search
def test_the_budget_counts_the_steps_that_a_sentence_takes_part_in(
    strategy: type[TreeSearch], make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    toy = make_toy(vocab=9, sharpness=0.1)
    limits = {"max_length": 6, "max_length_ratio": None, "min_length": 5}
    for budget in (1, 4, 30):
        toy.calls.clear()
        search = strategy(**special_ids, **limits, budget=budget, start_size=1)
        ((found,),) = search.decode(**toy.arguments([2]))
        assert len(toy.calls) == 6 + budget and found.optimal is False  # nothing ends such flat outputs early
        toy.calls.clear()
        search.decode(**toy.arguments())
        assert sum(sentences for _, sentences in toy.calls[6:]) == 6 * budget


@every_search
def test_what_a_constraint_forbids_is_not_found_and_the_rest_is_searched_exactly(
    strategy: type[TreeSearch], make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    toy = make_toy(vocab=6, sharpness=0.6)
    search = strategy(**special_ids, **SHORT, constraints=(NoRepeat(size=1),), min_length=2)
    for sentence, (found,) in enumerate(search.decode(**toy.arguments(), return_weights=True)):
        space = [each for each in ranked(toy, sentence, LIMIT, [1, 4, 5]) if len(set(each[0])) == len(each[0]) >= 2]
        ids, finished, log_prob = max(space, key=lambda output: output[2])
        assert (found.ids, found.finished, found.optimal) == (ids, finished, True)
        assert found.log_prob == pytest.approx(log_prob, abs=1e-9)
        _, weights = toy.rescore(sentence, (*ids, 3) if finished else ids)
        torch.testing.assert_close(found.weights, weights)


def test_best_first_search_opens_no_more_prefixes_than_exact_search_and_only_those_above_the_best(
    make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    more = 0
    for seed in range(12):
        toy = make_toy(vocab=7, seed=seed, sharpness=0.9, batch=1, ends=-2.0)
        limits = {"max_length": 4, "max_length_ratio": None}
        BeamSearch(**special_ids, **limits, size=1, length_penalty=NoPenalty(), stopping="optimal_bound").decode(
            **toy.arguments([0])
        )
        first, calls, found = len(toy.calls), [], None
        for strategy in (BestFirstSearch, ExactSearch):
            toy.calls.clear()
            ((found,),) = strategy(**special_ids, **limits, start_size=1).decode(**toy.arguments([0]))
            calls.append(len(toy.calls) - first)
        assert found is not None
        prefixes = prefixes_of(toy, 0, 4, [1, 4, 5, 6])
        above = [ids for ids, (log_prob, _) in prefixes.items() if len(ids) < 4 and log_prob > found.log_prob]
        assert calls[0] == len(above) <= calls[1]
        more += calls[1] > calls[0]
    assert more


@pytest.mark.parametrize("width", [1, 2, 4])
def test_with_a_width_it_finds_what_a_beam_that_takes_every_end_finds(
    width: int, make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    proved = fewer = 0
    for seed in range(6):
        toy = make_toy(vocab=6, seed=seed, sharpness=0.8, ends=0.2)
        limits = {"max_length": 5, "max_length_ratio": None}
        search = BestFirstSearch(**special_ids, **limits, start_size=1, width=width)
        for sentence in range(6):
            toy.calls.clear()
            ((found,),) = search.decode(**toy.arguments([sentence]))
            fewer += len(toy.calls) - 5 < 1 + 4 * width
            prefixes = prefixes_of(toy, sentence, 5, [1, 4, 5])
            beam: list[tuple[int, ...]] = [()]
            ends: list[tuple[float, tuple[int, ...], bool]] = []
            for _ in range(5):
                ends += [(prefixes[ids][1], ids, True) for ids in beam]
                grown = [(*ids, symbol) for ids in beam for symbol in (1, 4, 5)]
                beam = sorted(grown, key=lambda ids, known=prefixes: -known[ids][0])[:width]
            ends += [(prefixes[ids][0], ids, False) for ids in beam]
            log_prob, ids, finished = max(ends)
            assert (found.ids, found.finished) == (ids, finished)
            assert found.log_prob == pytest.approx(log_prob, abs=1e-9)
            best = ranked(toy, sentence, 5, [1, 4, 5])[0][2]
            assert not found.optimal or math.isclose(found.log_prob, best, abs_tol=1e-9)
            proved += bool(found.optimal)
    assert proved > 3 and fewer > 3


@pytest.mark.parametrize("option", ["budget", "nodes_at_once", "start_size", "num_hypotheses"])
@every_search
def test_options_out_of_range_are_refused(strategy: type[TreeSearch], option: str, special_ids: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match=rf"^decoding\.{option} is 0, expected a whole number of at least 1$"):
        strategy(**{**special_ids, option: 0})


def test_a_width_out_of_range_is_refused(special_ids: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match=r"^decoding\.width is 0, expected a whole number of at least 1$"):
        BestFirstSearch(**special_ids, width=0)
