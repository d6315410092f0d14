"""Symbols that came before are multiplied, once each, and nothing else is touched."""

import pytest
import torch

from s2s_lab.decoding.constraints.repetition_penalty import RepetitionPenalty
from s2s_lab.decoding.greedy import GreedySearch
from s2s_lab.decoding.task import Task
from s2s_lab.faults import RequestError
from tests.decoding.brute_force import BOS, SPECIAL, TinyModel

TASK = Task(torch.tensor([9, 9]), torch.tensor([0, 1]))


def test_each_symbol_so_far_is_multiplied_once_and_bos_is_none() -> None:
    penalty = RepetitionPenalty(penalty=2.0)
    log_probs = torch.randn(2, 6, dtype=torch.float64).log_softmax(-1)
    state = penalty.start(TASK)
    for previous in ([BOS, BOS], [3, 2], [3, 4]):
        state = penalty.advance(state, torch.tensor(previous), None)
    adjusted = log_probs.clone()
    penalty.adjust(adjusted, state, 2)
    expected = log_probs.clone()
    for row, symbols in enumerate(({3}, {2, 4})):
        for symbol in symbols:
            expected[row, symbol] *= 2
    assert torch.equal(adjusted, expected)


def test_a_penalty_of_one_changes_nothing_and_a_huge_one_lets_no_symbol_come_twice() -> None:
    model = TinyModel(limit=5, batch=9, ends=-4.0)
    options = {**SPECIAL, "max_length": 3}
    plain = GreedySearch(**options).decode(**model.arguments())
    same = GreedySearch(**options, constraints=(RepetitionPenalty(penalty=1),)).decode(**model.arguments())
    assert [best.ids for (best,) in same] == [best.ids for (best,) in plain]
    assert any(len(set(best.ids)) < len(best.ids) for (best,) in plain)
    strict = GreedySearch(**options, constraints=(RepetitionPenalty(penalty=1e6),)).decode(**model.arguments())
    assert all(len(set(best.ids)) == len(best.ids) for (best,) in strict)


@pytest.mark.parametrize("penalty", [0.9, "1", True, float("inf"), float("nan")])
def test_a_penalty_below_one_is_refused(penalty: object) -> None:
    with pytest.raises(RequestError, match=r"^constraint\.repetition_penalty\.penalty is .*, expected a number of at"):
        RepetitionPenalty(penalty=penalty)  # type: ignore[arg-type]
