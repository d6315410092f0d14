"""Beam search against greedy search, brute force and a plain search over lists."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from s2s_lab.decoding.beam import STOPPING_RULES, BeamSearch
from s2s_lab.decoding.greedy import GreedySearch
from s2s_lab.decoding.length_penalty import GNMT, Average, LengthPenalty, NoPenalty, WordReward

PENALTIES = [NoPenalty(), Average(), GNMT(alpha=0.6), GNMT(alpha=1.5), WordReward(reward=0.7)]
by_name = pytest.mark.parametrize("penalty", PENALTIES, ids=lambda penalty: penalty.name)
by_rule = pytest.mark.parametrize("stopping", STOPPING_RULES)


def score_of(penalty: LengthPenalty, log_prob: float, length: int) -> float:
    return float(penalty.score(torch.tensor(log_prob, dtype=torch.float64), length))


@by_rule
@by_name
@pytest.mark.parametrize("ends", [0.0, 0.7])
def test_beam_one_equals_greedy(
    make_toy: Callable[..., Any], special_ids: dict[str, Any], penalty: LengthPenalty, stopping: str, ends: float
) -> None:
    if stopping == "optimal_bound":
        penalty = NoPenalty()  # with a penalty the rule may rightly search on after the greedy hypothesis
    toy = make_toy(batch=12, ends=ends)
    options = special_ids | {"max_length": 25}
    narrow = BeamSearch(**options, size=1, length_penalty=penalty, stopping=stopping).decode(**toy.arguments())
    greedy = GreedySearch(**options).decode(**toy.arguments())
    for (found,), (expected,) in zip(narrow, greedy, strict=True):
        assert (found.ids, found.finished) == (expected.ids, expected.finished)
        assert found.log_prob == pytest.approx(expected.log_prob, abs=1e-9)


@by_name
@pytest.mark.parametrize("stopping", ["all_finished", "optimal_bound"])
@pytest.mark.parametrize(("vocab", "limit"), [(5, 5), (6, 4)])
@pytest.mark.parametrize("ends", [0.0, 0.7])
def test_a_beam_as_wide_as_the_space_equals_brute_force(
    make_toy: Callable[..., Any],
    special_ids: dict[str, Any],
    penalty: LengthPenalty,
    stopping: str,
    vocab: int,
    limit: int,
    ends: float,
) -> None:
    toy = make_toy(vocab=vocab, batch=4, ends=ends)
    allowed = [1, *range(4, vocab)]
    num = 9
    strategy = BeamSearch(
        **special_ids,
        size=(len(allowed) + 1) ** limit,
        length_penalty=penalty,
        num_hypotheses=num,
        stopping=stopping,
        max_length=limit,
    )
    for sentence, found in enumerate(strategy.decode(**toy.arguments())):
        space = toy.space(sentence, limit, allowed)
        expected = sorted(
            ((score_of(penalty, lp, len(ids) + done), ids, done) for ids, done, lp in space), reverse=True
        )[:num]
        assert [(hypothesis.ids, hypothesis.finished) for hypothesis in found] == [entry[1:] for entry in expected]
        assert [hypothesis.score for hypothesis in found] == pytest.approx([entry[0] for entry in expected], abs=1e-12)


def plain_search(toy: Any, sentence: int, strategy: BeamSearch, limit: int) -> list[tuple[tuple[int, ...], bool]]:
    """The documented search with lists, for one sentence."""
    given = toy.arguments([sentence])
    live: list[tuple[float, tuple[int, ...], Any]] = [(0.0, (), given["state"])]
    finished: list[tuple[float, tuple[int, ...], bool]] = []
    penalty, size, num = strategy.length_penalty, strategy.size, strategy.num_hypotheses
    for length in range(1, limit + 1):
        candidates = []
        for log_prob, ids, state in live:
            scores, after, _ = toy.step(torch.tensor([(2, *ids)[-1]]), state, given["memory"])
            for symbol, more in enumerate(scores.log_softmax(-1)[0].tolist()):
                if symbol not in (0, 2):
                    candidates.append((log_prob + more, (*ids, symbol), after))
        candidates = sorted(candidates, key=lambda candidate: -candidate[0])[: 2 * size]
        for log_prob, ids, _ in candidates[:size]:
            if ids[-1] == 3:
                finished.append((score_of(penalty, log_prob, length), ids[:-1], True))
        live = [candidate for candidate in candidates if candidate[1][-1] != 3][:size]
        best = sorted((entry[0] for entry in finished), reverse=True)
        enough = size if strategy.stopping == "all_finished" else num
        seen_at = {"outscored": length, "optimal_bound": limit}.get(strategy.stopping)
        if len(finished) >= enough and (seen_at is None or best[num - 1] >= score_of(penalty, live[0][0], seen_at)):
            break
    if length == limit:
        finished += [(score_of(penalty, log_prob, limit), ids, False) for log_prob, ids, _ in live]
    return [entry[1:] for entry in sorted(finished, key=lambda entry: -entry[0])[:num]]


@by_rule
@by_name
@pytest.mark.parametrize(("size", "num"), [(2, 1), (3, 3), (6, 2)])
def test_the_batched_search_equals_the_plain_one(
    make_toy: Callable[..., Any],
    special_ids: dict[str, Any],
    penalty: LengthPenalty,
    stopping: str,
    size: int,
    num: int,
) -> None:
    toy = make_toy(vocab=11, batch=9, ends=0.5)
    strategy = BeamSearch(
        **special_ids,
        size=size,
        num_hypotheses=num,
        length_penalty=penalty,
        stopping=stopping,
        max_length=12,
        max_length_ratio=1,
        max_length_constant=5,
    )
    for sentence, found in enumerate(strategy.decode(**toy.arguments())):
        limit = min(12, int(toy.source_lengths[sentence]) + 5)
        expected = plain_search(toy, sentence, strategy, limit)
        assert [(hypothesis.ids, hypothesis.finished) for hypothesis in found] == expected


@by_name
@pytest.mark.parametrize("stopping", ["outscored", "optimal_bound"])
@pytest.mark.parametrize("size", [2, 5, 8])
def test_poor_early_ends_do_not_keep_a_confident_model_from_its_best_output(
    special_ids: dict[str, Any], penalty: LengthPenalty, stopping: str, size: int
) -> None:
    """The model all but knows ten symbols; at every step an end has probability 0.001."""
    right = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 3]
    table = torch.full((len(right), 14), 1e-6)
    table[:, 3] = 1e-3
    table[torch.arange(len(right)), torch.tensor(right)] = 0.99

    def step(previous: torch.Tensor, state: tuple[torch.Tensor], memory: Any) -> Any:
        (position,) = state
        return table[position.clamp(max=len(right) - 1)].log(), (position + 1,), None

    search = BeamSearch(**special_ids, size=size, length_penalty=penalty, stopping=stopping)
    ((best,),) = search.decode(
        step,
        (torch.zeros(1, dtype=torch.int64),),
        (torch.zeros(1, 1),),
        source_lengths=torch.tensor([10]),
        sentence_index=torch.tensor([0]),
    )
    assert best.ids == tuple(right[:-1])


@by_name
def test_the_optimal_bound_gives_what_searching_to_the_limit_gives_in_fewer_steps(
    make_toy: Callable[..., Any], special_ids: dict[str, Any], penalty: LengthPenalty
) -> None:
    toy = make_toy(batch=10, ends=1.0)
    options = special_ids | {"size": 4, "length_penalty": penalty, "max_length": 15}
    found, steps = [], []
    for bounded in (True, False):
        strategy = BeamSearch(**options, stopping="optimal_bound")
        if not bounded:
            strategy.length_penalty = Unbounded(penalty)
        toy.calls.clear()
        found.append([[(h.ids, h.finished) for h in sentence] for sentence in strategy.decode(**toy.arguments())])
        steps.append(sum(rows for rows, _ in toy.calls))
    assert found[0] == found[1] and steps[0] < steps[1]


class Unbounded(LengthPenalty):
    """A penalty that promises nothing, so that the search goes on to the limit."""

    name = "unbounded"

    def __init__(self, penalty: LengthPenalty) -> None:
        self.penalty = penalty

    def score(self, log_prob: torch.Tensor, length: torch.Tensor | int) -> torch.Tensor:
        return self.penalty.score(log_prob, length)

    def bound(self, log_prob: torch.Tensor, max_length: torch.Tensor | int) -> torch.Tensor:
        return torch.full_like(log_prob, math.inf)


def test_a_space_smaller_than_the_beam_gives_as_many_hypotheses_as_there_are(special_ids: dict[str, Any]) -> None:
    scores = torch.tensor([[0.0, 1.0, 0.0, 0.5]])  # only ids 1 and eos are allowed
    strategy = BeamSearch(**special_ids, size=7, num_hypotheses=7, max_length=3)
    (found,) = strategy.decode(
        lambda previous, state, memory: (scores.expand(len(previous), -1), state, None),
        torch.zeros(1),
        (),
        source_lengths=torch.tensor([4]),
        sentence_index=torch.tensor([0]),
    )
    assert sorted((hypothesis.ids, hypothesis.finished) for hypothesis in found) == [
        ((), True),
        ((1,), True),
        ((1, 1), True),
        ((1, 1, 1), False),
    ]


@pytest.mark.parametrize("eos", [0, 4])
def test_any_id_may_be_eos(eos: int) -> None:
    scores = torch.randn(5)
    strategy = BeamSearch(bos=1, eos=eos, banned=(1,), size=6, num_hypotheses=6, max_length=3)
    (found,) = strategy.decode(
        lambda previous, state, memory: (scores.expand(len(previous), -1), state, None),
        torch.zeros(1),
        (),
        source_lengths=torch.tensor([4]),
        sentence_index=torch.tensor([0]),
    )
    assert len({(hypothesis.ids, hypothesis.finished) for hypothesis in found}) == 6
    assert all(eos not in hypothesis.ids and 1 not in hypothesis.ids for hypothesis in found)


def test_unfinished_hypotheses_compete_at_the_limit(special_ids: dict[str, Any]) -> None:
    probabilities = torch.tensor([[0.0, 0.7, 0.0, 0.2, 0.1]])
    strategy = BeamSearch(**special_ids, size=3, num_hypotheses=2, max_length=2)
    (found,) = strategy.decode(
        lambda previous, state, memory: (probabilities.log().expand(len(previous), -1), state, None),
        torch.zeros(1),
        (),
        source_lengths=torch.tensor([4]),
        sentence_index=torch.tensor([0]),
    )
    assert [(hypothesis.ids, hypothesis.finished) for hypothesis in found] == [((1, 1), False), ((), True)]
    assert [hypothesis.score for hypothesis in found] == pytest.approx([math.log(0.49), math.log(0.2)])
