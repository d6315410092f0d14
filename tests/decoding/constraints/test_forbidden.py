"""Forbidden phrases: no output holds one, and a beam as wide as the space finds the best output that holds none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from s2s_lab.decoding.base import DecodingStrategy
from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.constraints.forbidden import Forbidden
from s2s_lab.decoding.greedy import GreedySearch
from s2s_lab.decoding.sampling import Sampling
from s2s_lab.decoding.task import Demands
from s2s_lab.faults import RequestError

OF_ALL = [(4,), (1, 1)]
OF_EACH = [[(5, 1)], [], [(1, 5, 1)], [(5,), (5,)], [(5, 5), (1, 5, 5)], [(1, 4)]]


def holds(ids: Sequence[int], phrase: Sequence[int]) -> bool:
    return any(tuple(ids[start : start + len(phrase)]) == tuple(phrase) for start in range(len(ids)))


def allowed(ids: Sequence[int], sentence: int, *, own: bool) -> bool:
    return not any(holds(ids, phrase) for phrase in [*OF_ALL, *(OF_EACH[sentence] if own else [])])


@pytest.mark.parametrize("strategy", [GreedySearch, BeamSearch, Sampling])
@pytest.mark.parametrize("own", [False, True])
def test_no_output_holds_a_phrase(
    own: bool, strategy: type[DecodingStrategy], make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    toy, free = make_toy(vocab=6, ends=0.2), 0
    demands = Demands(forbidden=OF_EACH) if own else None
    found = strategy(**special_ids, max_length=9, constraints=(Forbidden(ids=OF_ALL),)).decode(
        **toy.arguments(), demands=demands
    )
    for sentence, (best,) in enumerate(found):
        assert allowed(best.ids, sentence, own=own)
    for sentence, (best,) in enumerate(strategy(**special_ids, max_length=9).decode(**toy.arguments())):
        free += allowed(best.ids, sentence, own=own)
    assert free < 6


@pytest.mark.parametrize("own", [False, True])
def test_a_beam_as_wide_as_the_space_finds_the_best_that_is_left(
    own: bool, make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    toy = make_toy(vocab=6, seed=2)
    beam = BeamSearch(
        **special_ids, max_length=4, max_length_ratio=None, size=81, num_hypotheses=3, stopping="optimal_bound",
        constraints=(Forbidden(ids=OF_ALL),),
    )  # fmt: skip
    for sentence, found in enumerate(
        beam.decode(**toy.arguments(), demands=Demands(forbidden=OF_EACH if own else [()] * 6))
    ):
        space = [each for each in toy.space(sentence, 4, [1, 4, 5]) if allowed(each[0], sentence, own=own)]
        best = sorted(space, key=lambda output: -output[2])[:3]
        assert [each.ids for each in found] == [ids for ids, _, _ in best]
        assert [each.log_prob for each in found] == pytest.approx([each[2] for each in best], abs=1e-9)


def test_its_signature_tells_phrases_apart_and_what_it_cannot_forbid_is_one_clear_line(
    make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    given = make_toy().arguments()
    named = [Forbidden(phrases=phrases, ids=ids) for phrases, ids in ((["a"], [(4,)]), (["b"], [(5,)]), ([], []))]
    assert len({each.signature() for each in named}) == 3
    assert named[0].signature() == Forbidden(phrases=["a"]).signature()
    with pytest.raises(RequestError, match="texts only, expected their ids"):
        GreedySearch(**special_ids, constraints=(Forbidden(phrases=["a"]),)).decode(**given)
    with pytest.raises(RequestError, match="expected a list of texts"):
        Forbidden(phrases="a")
    for refused in (lambda: Forbidden(phrases=[""], ids=[()]), lambda: GreedySearch(
        **special_ids, constraints=(Forbidden(),)
    ).decode(**given, demands=Demands(forbidden=[[()]] * 6))):  # fmt: skip
        with pytest.raises(RequestError, match="phrase"):
            refused()
    with pytest.raises(
        RequestError, match=r"decoding=greedy cannot meet forbidden, expected constraint=\[forbidden\]$"
    ):
        GreedySearch(**special_ids).decode(**given, demands=Demands(forbidden=[[]] * 6))
