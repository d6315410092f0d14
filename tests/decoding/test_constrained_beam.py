"""Constrained beam search: outputs hold their phrases, and a beam as wide as the space finds the best."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.constrained_beam import ConstrainedBeam, turns
from s2s_lab.decoding.constraints.no_repeat import NoRepeat
from s2s_lab.decoding.greedy import GreedySearch
from s2s_lab.decoding.phrases import PhraseAutomaton
from s2s_lab.decoding.task import Demands
from s2s_lab.faults import RequestError

Phrases = Sequence[tuple[int, ...]]

REQUIRED: list[Phrases] = [
    [(4,)],
    [(4, 5), (5, 4)],  # both are in 4 5 4
    [(4, 4, 5)],  # begins again within itself
    [(1, 4), (4,), (1, 4)],  # one within another, one twice
    [],
    [(1, 1, 4), (4, 1)],
]


def holds(ids: Sequence[int], phrases: Phrases) -> bool:
    return all(
        any(tuple(ids[start : start + len(phrase)]) == phrase for start in range(len(ids))) for phrase in phrases
    )


def test_the_automaton_knows_what_was_met_and_the_fewest_symbols_that_are_missing() -> None:
    for phrases in REQUIRED[:4] + REQUIRED[5:]:
        automaton = PhraseAutomaton.of(phrases)
        column = {symbol: place for place, symbol in enumerate(automaton.symbols.tolist())}
        spellings = {length: list(itertools.product((1, 4, 5), repeat=length)) for length in range(6)}
        for ids in itertools.chain(*(spellings[length] for length in range(4))):
            state = 0
            for symbol in ids:
                state = int(automaton.following[state, column.get(symbol, -1)])
            missing = min(
                length for length, more in spellings.items() if any(holds((*ids, *each), phrases) for each in more)
            )
            assert int(automaton.distance[state]) == missing


def test_turns_take_one_of_each_bank_in_every_round() -> None:
    banks = torch.tensor([[2, 0, 2, 2, 1, 0, 1], [0] * 7])
    possible = torch.ones(2, 7, dtype=torch.bool)
    possible[:, 1] = False
    found = turns(banks, possible).tolist()
    # rounds of the first: (5: bank 0, 4: bank 1, 0: bank 2), (6: bank 1, 2: bank 2), (3: bank 2), then the impossible
    assert [found[0][place] for place in (5, 4, 0, 6, 2, 3, 1)] == list(range(7))
    assert found[1] == [0, 6, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("limit", [3, 4])
def test_a_beam_as_wide_as_the_space_finds_the_best_outputs_that_hold_all_phrases(
    limit: int, make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    toy, required = make_toy(vocab=6, seed=limit), REQUIRED if limit > 3 else [*REQUIRED[:5], [(5, 1)]]
    strategy = ConstrainedBeam(
        **special_ids, max_length=limit, max_length_ratio=None, size=3**limit, num_hypotheses=3,
        stopping="optimal_bound",
    )  # fmt: skip
    for sentence, found in enumerate(strategy.decode(**toy.arguments(), demands=Demands(required=required))):
        space = [each for each in toy.space(sentence, limit, [1, 4, 5]) if holds(each[0], required[sentence])]
        best = sorted(space, key=lambda output: -output[2])[:3]
        assert [(each.ids, each.finished) for each in found] == [(ids, finished) for ids, finished, _ in best]
        assert [each.log_prob for each in found] == pytest.approx([each[2] for each in best], abs=1e-9)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_every_output_holds_its_phrases_where_the_limit_just_allows_and_where_it_is_wide(
    size: int, make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    required: list[Phrases] = [[(4, 5, 1), (1, 6), (7,)], [(8, 8)], [], [(1, 4, 6, 7, 5, 8)], [(4,), (5,)], [(6, 1)]]
    needed = [5, 2, 0, 6, 2, 2]  # 4 5 1 6 overlaps
    rows = range(6)
    for seed, more in itertools.product(range(2), (0, 1, 6)):
        toy = make_toy(vocab=9, seed=seed, ends=1.0)
        strategy = ConstrainedBeam(**special_ids, size=size, num_hypotheses=size, max_length=6 + more)
        free = BeamSearch(**special_ids, size=size, max_length=6 + more).decode(**toy.arguments())
        assert not all(holds(best.ids, phrases) for (best, *_), phrases in zip(free, required, strict=True))
        whole = strategy.decode(**toy.arguments(padding=2), demands=Demands(required=required), return_weights=True)
        for sentence in rows:
            assert whole[sentence]
            for each in whole[sentence]:
                assert holds(each.ids, required[sentence])
                symbols = (*each.ids, 3) if each.finished else each.ids
                log_prob, weights = toy.rescore(sentence, symbols)
                assert each.log_prob == pytest.approx(log_prob, abs=1e-9)
                torch.testing.assert_close(each.weights, weights)
            of_one = Demands(required=[required[sentence]])
            (alone,) = strategy.decode(**toy.arguments([sentence]), demands=of_one)
            assert [each.ids for each in alone] == [each.ids for each in whole[sentence]]
        assert [each.ids for each in whole[2]] == [
            each.ids
            for each in BeamSearch(**special_ids, size=size, num_hypotheses=size, max_length=6 + more).decode(
                **toy.arguments()
            )[2]
        ]
    lengths = torch.tensor([each + 1 for each in needed])
    strategy = ConstrainedBeam(**special_ids, size=size)
    exactly = strategy.decode(
        **make_toy(vocab=9).arguments(), demands=Demands(required=required), exact_lengths=lengths
    )
    for sentence, (best,) in enumerate(exactly):
        assert best.finished and len(best.ids) == lengths[sentence] and holds(best.ids, required[sentence])


def test_ties_fall_as_in_beam_search_whatever_the_other_sentences_ask_for(special_ids: dict[str, Any]) -> None:
    def step(previous: torch.Tensor, state: Any, memory: Any) -> tuple[torch.Tensor, Any, None]:
        first = torch.tensor([-9.0, -9.0, -9.0, -9.0, 3.0, 0.0])
        tied = torch.tensor([-9.0, -9.0, -9.0, 1.0, -9.0, 1.0])
        return torch.where((previous == 4).unsqueeze(1), tied, first), state, None

    options = {**special_ids, "size": 1, "max_length": 4, "max_length_ratio": None, "stopping": "first_finished"}
    given = {"step": step, "state": (torch.zeros(2, 1),), "memory": (torch.zeros(2, 1),),
             "source_lengths": torch.tensor([4, 4]), "sentence_index": torch.tensor([0, 1])}  # fmt: skip
    beside = ConstrainedBeam(**options).decode(**given, demands=Demands(required=[[(5,)], []]))
    assert beside[1][0].ids == BeamSearch(**options).decode(**given)[1][0].ids


def test_it_goes_with_other_constraints(make_toy: Callable[..., Any], special_ids: dict[str, Any]) -> None:
    toy, required = make_toy(vocab=6), [[(4, 5)], [(5,)], [(1, 5)], [], [(4,)], [(5, 1)]]
    strategy = ConstrainedBeam(
        **special_ids, max_length=4, max_length_ratio=None, size=81, constraints=(NoRepeat(size=1),),
        stopping="optimal_bound",
    )  # fmt: skip
    for sentence, (found,) in enumerate(strategy.decode(**toy.arguments(), demands=Demands(required=required))):
        space = [
            each for each in toy.space(sentence, 4, [1, 4, 5])
            if holds(each[0], required[sentence]) and len(set(each[0])) == len(each[0])
        ]  # fmt: skip
        assert (found.ids, found.finished) == max(space, key=lambda output: output[2])[:2]


def test_what_cannot_be_met_is_one_clear_line(make_toy: Callable[..., Any], special_ids: dict[str, Any]) -> None:
    toy = make_toy()
    strategy = ConstrainedBeam(**special_ids, max_length=4)
    required: list[Phrases] = [[], [], [], [(1, 4), (5, 6, 7)], [], []]
    with pytest.raises(
        RequestError, match=r"^sentence 3: its required phrases take at least 5 symbols, expected at most 4, the limit"
    ):
        strategy.decode(**toy.arguments(), demands=Demands(required=required))
    with pytest.raises(RequestError, match=r"^11 different phrases are required, expected at most 10$"):
        strategy.decode(**toy.arguments([0]), demands=Demands(required=[[(symbol,) for symbol in range(4, 15)]]))
    with pytest.raises(RequestError, match="a required phrase is empty"):
        strategy.decode(**toy.arguments([0]), demands=Demands(required=[[()]]))
    with pytest.raises(RequestError, match="decoding=greedy cannot meet required"):
        GreedySearch(**special_ids).decode(**toy.arguments([0]), demands=Demands(required=[[]]))
