"""Outputs of exactly the lengths that are asked for, by every option found in conf/decoding."""

from __future__ import annotations

import itertools

import pytest
import torch

from s2s_lab.decoding import beam
from tests.contracts.strategies import (
    OPTIONS,
    Trigrams,
    as_wide_as,
    build,
    build_wide,
    every_choosing_option,
    outputs,
    symbols,
)

LENGTHS = torch.tensor([sentence % 5 for sentence in range(20)])


@every_choosing_option
def test_exact_lengths_are_kept_and_log_probabilities_stay_the_models_own(option: str) -> None:
    toy, strategy = Trigrams(), build_wide(option, 3, max_length=2, min_length=1)  # limits that do not count here
    whole = strategy.decode(**toy.arguments(), exact_lengths=LENGTHS)
    for sentence, found in enumerate(whole):
        for hypothesis in found:
            assert hypothesis.finished and len(hypothesis.ids) == LENGTHS[sentence]
            assert not set(hypothesis.ids) & {0, 2, 3}
            assert hypothesis.log_prob == pytest.approx(toy.rescore(sentence, symbols(hypothesis))[0], rel=1e-12)
    shuffled = torch.randperm(20)
    given = toy.arguments(shuffled.tolist(), padding=3)
    by_order = strategy.decode(**given, exact_lengths=LENGTHS[shuffled])
    assert outputs(by_order) == outputs([whole[sentence] for sentence in shuffled.tolist()])


@every_choosing_option
def test_only_the_signature_of_exact_lengths_names_them_and_not_the_limits(option: str) -> None:
    signatures = [build(option, max_length=limit).signature(exact=True) for limit in (50, 60)]
    assert signatures[0] == signatures[1] and "length:reference" in signatures[0]
    assert "length:reference" not in build(option).signature()


@pytest.mark.parametrize("option", [option for option, keys in OPTIONS.items() if "size" in keys])
@pytest.mark.parametrize("stopping", beam.STOPPING_RULES)
def test_a_beam_as_wide_as_the_space_finds_the_best_outputs_of_exactly_a_length(option: str, stopping: str) -> None:
    toy = Trigrams(vocab=6, batch=4)
    strategy = build(option, size=as_wide_as(option, 4**3), num_hypotheses=3, stopping=stopping)
    lengths = torch.tensor([3, 1, 2, 0])
    for sentence, found in enumerate(strategy.decode(**toy.arguments(), exact_lengths=lengths)):
        length = int(lengths[sentence])
        space = [(toy.rescore(sentence, (*ids, 3))[0], ids) for ids in itertools.product((1, 4, 5), repeat=length)]
        best = sorted(space, reverse=True)[:3]
        assert [hypothesis.ids for hypothesis in found] == [ids for _, ids in best]
        assert [hypothesis.log_prob for hypothesis in found] == pytest.approx([each[0] for each in best], rel=1e-12)


def test_greedy_outputs_of_an_exact_length_take_the_best_symbol_that_does_not_end() -> None:
    toy = Trigrams()
    for sentence, (found,) in enumerate(build("greedy").decode(**toy.arguments(), exact_lengths=LENGTHS)):
        given, previous, ids = toy.arguments([sentence]), 2, []
        state = given["state"]
        for _ in range(int(LENGTHS[sentence])):
            scores, state, _ = toy.step(torch.tensor([previous]), state, given["memory"])
            previous = max((1, *range(4, 8)), key=lambda symbol, row=scores[0]: float(row[symbol]))
            ids.append(previous)
        assert list(found.ids) == ids
