"""Sibling-diverse beam search against beam search and against the paper's ranking with lists."""

from collections.abc import Callable
from typing import Any

import pytest

from s2s_lab.decoding.beam import STOPPING_RULES, BeamSearch
from s2s_lab.decoding.length_penalty import Average, NoPenalty, WordReward
from s2s_lab.decoding.sibling_beam import SiblingBeamSearch
from s2s_lab.faults import RequestError
from tests.decoding.plain_beam import Entry, PlainBeam

by_rule = pytest.mark.parametrize("stopping", STOPPING_RULES)


def by_rank(children: list[list[Entry]], gamma: float) -> list[Entry]:
    """All continuations, the best first after each better sibling has cost it gamma."""
    ranked = []
    for siblings in children:
        ordered = sorted(siblings, key=lambda entry: -entry.value)
        ranked += [(entry.value - gamma * rank, entry) for rank, entry in enumerate(ordered, 1)]
    return [entry for _, entry in sorted(ranked, key=lambda pair: -pair[0])]


@by_rule
@pytest.mark.parametrize("penalty", [NoPenalty(), Average(), WordReward(reward=0.5)], ids=lambda each: each.name)
def test_gamma_zero_is_beam_search(
    make_toy: Callable[..., Any], special_ids: dict[str, Any], stopping: Any, penalty: Any
) -> None:
    toy = make_toy(vocab=11, batch=9, ends=0.5)
    options: dict[str, Any] = special_ids | {
        "size": 4,
        "num_hypotheses": 3,
        "max_length": 12,
        "length_penalty": penalty,
    }
    plain = BeamSearch(**options, stopping=stopping).decode(**toy.arguments())
    assert SiblingBeamSearch(**options, stopping=stopping, gamma=0).decode(**toy.arguments()) == plain


@by_rule
@pytest.mark.parametrize(("size", "num", "gamma"), [(2, 1, 0.3), (4, 3, 0.8), (6, 2, 5.0)])
@pytest.mark.parametrize("penalty", [NoPenalty(), Average()], ids=lambda each: each.name)
def test_it_equals_the_ranking_of_the_paper(
    make_toy: Callable[..., Any],
    special_ids: dict[str, Any],
    stopping: Any,
    size: int,
    num: int,
    gamma: float,
    penalty: Any,
) -> None:
    toy, limit = make_toy(vocab=9, batch=5, ends=0.5), 7
    strategy = SiblingBeamSearch(
        **special_ids,
        size=size,
        num_hypotheses=num,
        gamma=gamma,
        length_penalty=penalty,
        stopping=stopping,
        max_length=limit,
    )
    for sentence, found in enumerate(strategy.decode(**toy.arguments())):
        plain = PlainBeam(toy, sentence, strategy, limit)
        while not plain.done:
            plain.take(by_rank(plain.children(), gamma)[: 2 * size])
        assert [(each.ids, each.finished) for each in found] == [entry[1:3] for entry in plain.best()]
        assert [each.score for each in found] == pytest.approx([entry[0] for entry in plain.best()], abs=1e-9)


def test_a_large_gamma_keeps_the_best_child_of_every_parent(
    make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    toy = make_toy(vocab=12, batch=8, sharpness=3.0)
    options: dict[str, Any] = special_ids | {"size": 4, "num_hypotheses": 4, "max_length": 6}

    def beginnings(gamma: float) -> float:
        decoded = SiblingBeamSearch(**options, gamma=gamma).decode(**toy.arguments())
        return sum(len({hypothesis.ids[:1] for hypothesis in found}) for found in decoded) / len(decoded)

    assert beginnings(0.0) < beginnings(50.0)


@pytest.mark.parametrize("gamma", [-0.1, float("nan"), float("inf"), "a", True])
def test_gamma_out_of_range_is_refused(special_ids: dict[str, Any], gamma: Any) -> None:
    with pytest.raises(RequestError, match=r"gamma is .*, expected a number of at least 0"):
        SiblingBeamSearch(**special_ids, gamma=gamma)
