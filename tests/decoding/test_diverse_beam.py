"""Diverse beam search against beam search and against the paper's algorithm with lists."""

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from s2s_lab.decoding.base import Hypothesis
from s2s_lab.decoding.beam import STOPPING_RULES, BeamSearch
from s2s_lab.decoding.diverse_beam import DiverseBeamSearch
from s2s_lab.decoding.length_penalty import Average, NoPenalty, WordReward
from s2s_lab.faults import RequestError
from tests.decoding.plain_beam import PlainBeam, by_value

by_rule = pytest.mark.parametrize("stopping", STOPPING_RULES)
by_penalty = pytest.mark.parametrize("penalty", [NoPenalty(), Average(), WordReward(reward=0.5)], ids=lambda p: p.name)


def outputs(found: list[Hypothesis]) -> list[tuple[tuple[int, ...], bool]]:
    return [(hypothesis.ids, hypothesis.finished) for hypothesis in found]


@by_rule
@by_penalty
@pytest.mark.parametrize(("size", "num"), [(1, 1), (4, 3)])
def test_one_group_is_beam_search(
    make_toy: Callable[..., Any], special_ids: dict[str, Any], stopping: Any, penalty: Any, size: int, num: int
) -> None:
    toy = make_toy(vocab=11, batch=9, ends=0.5)
    options: dict[str, Any] = special_ids | {
        "size": size,
        "num_hypotheses": num,
        "max_length": 12,
        "length_penalty": penalty,
    }
    plain = BeamSearch(**options, stopping=stopping).decode(**toy.arguments())
    diverse = DiverseBeamSearch(**options, stopping=stopping, groups=1, strength=0.7)
    assert diverse.decode(**toy.arguments()) == plain


def plain_search(toy: Any, sentence: int, strategy: DiverseBeamSearch, limit: int) -> list[Any]:
    """The algorithm with lists; every output once, the best first."""
    share, more = divmod(strategy.size, strategy.groups)
    groups = [PlainBeam(toy, sentence, strategy, limit, share + (g < more)) for g in range(strategy.groups)]
    while not all(group.done for group in groups):
        taken: Counter[int] = Counter()
        for group in groups:
            if not group.done:
                group.take(by_value(group.children(taken, strategy.strength))[: 2 * group.size])
                taken.update(entry.ids[-1] for entry in group.live)
    best: dict[Any, Any] = {}
    for entry in sorted((entry for group in groups for entry in group.best()), key=lambda entry: -entry[0]):
        best.setdefault(entry[1:3], entry)
    return list(best.values())[: strategy.num_hypotheses]


@by_rule
@by_penalty
@pytest.mark.parametrize(
    ("size", "groups", "num", "strength"), [(4, 2, 4, 0.4), (5, 3, 2, 1.5), (3, 3, 3, 0.8), (6, 2, 5, 0.0)]
)
def test_it_equals_the_algorithm_of_the_paper(
    make_toy: Callable[..., Any],
    special_ids: dict[str, Any],
    stopping: Any,
    penalty: Any,
    size: int,
    groups: int,
    num: int,
    strength: float,
) -> None:
    toy, limit = make_toy(vocab=9, batch=4, ends=0.5), 6
    strategy = DiverseBeamSearch(
        **special_ids,
        size=size,
        groups=groups,
        strength=strength,
        num_hypotheses=num,
        length_penalty=penalty,
        stopping=stopping,
        max_length=limit,
        max_length_ratio=1,
        max_length_constant=1,
    )
    for sentence, found in enumerate(strategy.decode(**toy.arguments())):
        own_limit = min(limit, int(toy.source_lengths[sentence]) + 1)
        expected = plain_search(toy, sentence, strategy, own_limit)
        assert outputs(found) == [entry[1:3] for entry in expected]
        assert [each.score for each in found] == pytest.approx([entry[0] for entry in expected], abs=1e-9)
        assert [each.log_prob for each in found] == pytest.approx([entry[3] for entry in expected], abs=1e-9)


def test_without_any_strength_every_group_finds_the_same_and_it_is_returned_once(
    make_toy: Callable[..., Any], special_ids: dict[str, Any]
) -> None:
    toy = make_toy(batch=6, ends=0.5)
    options: dict[str, Any] = special_ids | {"max_length": 8}
    diverse = DiverseBeamSearch(**options, size=6, groups=3, strength=0, num_hypotheses=6).decode(**toy.arguments())
    plain = BeamSearch(**options, size=2, num_hypotheses=2).decode(**toy.arguments())
    assert [outputs(found) for found in diverse] == [outputs(found) for found in plain]


def test_strength_makes_outputs_differ(make_toy: Callable[..., Any], special_ids: dict[str, Any]) -> None:
    toy = make_toy(vocab=12, batch=8, sharpness=3.0)

    def agreement(strength: float) -> float:
        """Mean share of places at which two outputs of a sentence agree."""
        decoded = DiverseBeamSearch(
            **special_ids, size=4, groups=4, strength=strength, num_hypotheses=4, max_length=6
        ).decode(**toy.arguments())
        pairs = [pair for found in decoded for pair in itertools.combinations([each.ids for each in found], 2)]
        shares = [sum(a == b for a, b in zip(*pair, strict=False)) / 6 for pair in pairs]
        return sum(shares) / len(shares)

    assert agreement(5.0) < agreement(0.3)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"groups": 0}, "groups is 0, expected a whole number of at least 1"),
        ({"size": 3, "groups": 4}, r"groups is 4, expected at most decoding.size \(3\)"),
        ({"strength": -1}, "strength is -1, expected a number of at least 0"),
        ({"strength": float("nan")}, "strength is nan, expected a number of at least 0"),
        ({"strength": True}, "strength is True, expected a number of at least 0"),
    ],
)
def test_options_out_of_range_are_refused(special_ids: dict[str, Any], options: dict[str, Any], expected: str) -> None:
    with pytest.raises(RequestError, match=expected):
        DiverseBeamSearch(**special_ids, **options)
