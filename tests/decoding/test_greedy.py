"""Greedy search follows the arg max, one sentence at a time or all at once."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from s2s_lab.decoding.greedy import GreedySearch


@pytest.mark.parametrize("ends", [0.0, 0.7])
@pytest.mark.parametrize("min_length", [0, 4])
def test_greedy_equals_the_plain_loop(
    make_toy: Callable[..., Any], special_ids: dict[str, Any], ends: float, min_length: int
) -> None:
    toy = make_toy(batch=12, ends=ends)
    strategy = GreedySearch(**special_ids, min_length=min_length, max_length=20, max_length_ratio=2)
    decoded = strategy.decode(**toy.arguments())
    for sentence, (hypothesis,) in enumerate(decoded):
        given = toy.arguments([sentence])
        state, symbols, total = given["state"], [2], 0.0
        while symbols[-1] != 3 and len(symbols) <= min(20, 2 * int(toy.source_lengths[sentence]) + 30):
            scores, state, _ = toy.step(torch.tensor(symbols[-1:]), state, given["memory"])
            log_probs = scores.log_softmax(-1)[0]
            allowed = [1, 4, 5, 6, 7, 8] + ([3] if len(symbols) > min_length else [])
            symbols.append(max(sorted(allowed), key=lambda symbol: float(log_probs[symbol])))
            total += float(log_probs[symbols[-1]])
        finished = symbols[-1] == 3
        assert hypothesis.ids == tuple(symbols[1 : -1 if finished else None])
        assert hypothesis.finished == finished
        assert hypothesis.log_prob == pytest.approx(total, abs=1e-9) and hypothesis.score == hypothesis.log_prob


def test_a_tie_goes_to_the_lower_id(special_ids: dict[str, Any]) -> None:
    scores = torch.tensor([[9.0, 1.0, 9.0, 0.0, 2.0, 2.0]])
    decoded = GreedySearch(**special_ids, max_length=2).decode(
        lambda previous, state, memory: (scores, state, None),
        (),
        (),
        source_lengths=torch.tensor([1]),
        sentence_index=torch.tensor([0]),
    )
    assert decoded[0][0].ids == (4, 4) and not decoded[0][0].finished
