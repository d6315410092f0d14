"""Forced decoding: the targets come back with the model's own log-probability and attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from s2s_lab.decoding.constraints.no_repeat import NoRepeat
from s2s_lab.decoding.forced import ForcedDecoding
from s2s_lab.decoding.greedy import GreedySearch
from s2s_lab.decoding.task import Demands
from s2s_lab.faults import RequestError

TARGETS = [(4, 5, 6, 7, 8, 1), (), (5,), (8, 8, 1), (1, 4), (7,)]


def test_targets_come_back_scored_whatever_the_batch(make_toy: Callable[..., Any], special_ids: dict[str, Any]) -> None:
    toy, strategy = make_toy(), ForcedDecoding(**special_ids, max_length=1)
    whole = strategy.decode(**toy.arguments(padding=2), demands=Demands(targets=TARGETS), return_weights=True)
    assert toy.calls[-1][1] < 6  # those that ended have left
    for sentence, (found,) in enumerate(whole):
        log_prob, weights = toy.rescore(sentence, (*TARGETS[sentence], 3))
        assert (found.ids, found.finished) == (TARGETS[sentence], True)
        assert found.log_prob == found.score == pytest.approx(log_prob, abs=1e-9)
        torch.testing.assert_close(found.weights, weights)
        ((alone,),) = strategy.decode(**toy.arguments([sentence]), demands=Demands(targets=[TARGETS[sentence]]))
        assert alone.log_prob == pytest.approx(log_prob, abs=1e-9) and alone.weights is None


def test_what_greedy_search_finds_is_scored_as_it_was_found(
    make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    toy = make_toy(ends=1.0)
    found = [best for (best,) in GreedySearch(**special_ids).decode(**toy.arguments())]
    assert all(best.finished for best in found)
    forced = ForcedDecoding(**special_ids).decode(
        **toy.arguments(), demands=Demands(targets=[best.ids for best in found])
    )
    assert [best.log_prob for (best,) in forced] == pytest.approx([best.log_prob for best in found], abs=1e-9)


def test_what_it_lacks_or_cannot_take_is_one_clear_line(
    make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    given = make_toy().arguments()
    with pytest.raises(RequestError, match=r"^decoding=forced needs a target for each sentence"):
        ForcedDecoding(**special_ids).decode(**given)
    with pytest.raises(RequestError, match=r"^decoding=forced takes its lengths from the targets"):
        ForcedDecoding(**special_ids).decode(
            **given, demands=Demands(targets=TARGETS), exact_lengths=torch.ones(6, dtype=torch.int64)
        )
    with pytest.raises(RequestError, match="decoding=forced has nothing to choose"):
        ForcedDecoding(**special_ids, constraints=(NoRepeat(),))
    with pytest.raises(RequestError, match=r"decoding=greedy cannot meet targets, expected decoding=forced$"):
        GreedySearch(**special_ids).decode(**given, demands=Demands(targets=TARGETS))
