"""A beam as wide as the space gives the best of all outputs, under every penalty and every constraint."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.constraints.base import Constraint
from s2s_lab.decoding.constraints.coverage_penalty import LEAST, CoveragePenalty
from s2s_lab.decoding.constraints.min_length_ratio import MinLengthRatio
from s2s_lab.decoding.constraints.no_repeat import NoRepeat
from s2s_lab.decoding.constraints.prefix import Prefix
from s2s_lab.decoding.constraints.repetition_penalty import RepetitionPenalty
from s2s_lab.decoding.length_penalty import GNMT, Average, LengthPenalty, NoPenalty, WordReward
from s2s_lab.decoding.task import Demands
from tests.decoding.brute_force import EOS, SPECIAL, Output, TinyModel, assert_found

PENALTIES = [NoPenalty(), Average(), GNMT(alpha=0.6), WordReward(reward=0.7)]
PROMISING = ("all_finished", "optimal_bound")
"""Stopping rules that end no search which could still give a better output, the beam being as wide as the space."""

by_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=lambda penalty: penalty.name)
by_rule = pytest.mark.parametrize("stopping", PROMISING)


def wide(model: TinyModel, **options: Any) -> BeamSearch:
    size = (model.vocab - 1) ** model.limit
    return BeamSearch(**SPECIAL | {"max_length": model.limit, "size": size, "num_hypotheses": 4} | options)


def scored(penalty: LengthPenalty, log_prob: float, output: Output) -> float:
    return float(penalty.score(torch.tensor(log_prob, dtype=torch.float64), len(output.symbols)))


def penalised(output: Output, penalty: float) -> float:
    """Sum of log-probabilities, those of symbols that came before multiplied."""
    values = [
        log_prob * (penalty if symbol in output.ids[:place] else 1)
        for place, (symbol, log_prob) in enumerate(zip(output.symbols, output.log_probs, strict=True))
    ]
    return math.fsum(values)


def coverage(output: Output, beta: float) -> float:
    """Equation 14 of Wu et al. 2016."""
    return beta * sum(math.log(min(max(float(total), LEAST), 1.0)) for total in output.weights.sum(0))


def repeats(output: Output) -> bool:
    pairs = list(zip(output.ids, output.ids[1:], strict=False))
    return len(set(pairs)) < len(pairs)


@by_rule
@by_penalty
@pytest.mark.parametrize(("vocab", "limit"), [(3, 5), (4, 4), (5, 3)])
def test_without_constraints(penalty: LengthPenalty, stopping: str, vocab: int, limit: int) -> None:
    model = TinyModel(vocab=vocab, limit=limit, seed=vocab)
    for sentence, found in enumerate(
        wide(model, length_penalty=penalty, stopping=stopping).decode(**model.arguments())
    ):
        score = lambda output: scored(penalty, output.log_prob, output)  # noqa: E731
        assert_found(found, model.best(sentence, score, 4), score)


@by_rule
@by_penalty
def test_a_repetition_penalty_changes_the_score_and_never_the_log_probability(
    penalty: LengthPenalty, stopping: str
) -> None:
    model = TinyModel(vocab=4, limit=4, ends=-2.0)
    search = wide(model, length_penalty=penalty, stopping=stopping, constraints=(RepetitionPenalty(penalty=1.5),))
    for sentence, found in enumerate(search.decode(**model.arguments())):
        score = lambda output: scored(penalty, penalised(output, 1.5), output)  # noqa: E731
        assert_found(found, model.best(sentence, score, 4), score)


@by_rule
@by_penalty
def test_the_coverage_penalty_is_added_after_the_length_penalty(penalty: LengthPenalty, stopping: str) -> None:
    model = TinyModel(vocab=4, limit=4, ends=1.0)
    changed = 0
    for beta in (0.3, 3.0):
        search = wide(model, length_penalty=penalty, stopping=stopping, constraints=(CoveragePenalty(beta=beta),))
        for sentence, found in enumerate(search.decode(**model.arguments())):
            plain = lambda output: scored(penalty, output.log_prob, output)  # noqa: E731
            score = lambda output, beta=beta: plain(output) + coverage(output, beta)  # noqa: B023, E731
            assert_found(found, model.best(sentence, score, 4), score)
            changed += found[0].ids != model.best(sentence, plain, 1)[0].ids
    assert changed


PREFIXES = ((3,), (), (2, 2))
HARD: dict[str, tuple[Constraint, Callable[[TinyModel, int, Output], bool]]] = {
    "no_repeat": (NoRepeat(size=2), lambda model, sentence, output: not repeats(output)),
    "min_length_ratio": (
        MinLengthRatio(eos=EOS, ratio=1.0),
        lambda model, sentence, output: (
            not output.finished or len(output.symbols) >= int(model.source_lengths[sentence])
        ),
    ),
    "prefix": (
        Prefix(),
        lambda model, sentence, output: output.ids[: len(PREFIXES[sentence])] == PREFIXES[sentence],
    ),
}


@by_rule
@by_penalty
@pytest.mark.parametrize("names", [("no_repeat",), ("min_length_ratio",), ("prefix",), tuple(HARD)], ids=" ".join)
@pytest.mark.parametrize("soft", [False, True])
def test_hard_constraints_leave_the_best_of_what_they_allow(
    penalty: LengthPenalty, stopping: str, names: tuple[str, ...], soft: bool
) -> None:
    model = TinyModel(vocab=4, limit=4, ends=1.0, seed=3)
    constraints = [HARD[name][0] for name in names] + ([RepetitionPenalty(penalty=1.3)] if soft else [])
    search = wide(model, length_penalty=penalty, stopping=stopping, constraints=constraints)
    demands = Demands(prefixes=PREFIXES) if "prefix" in names else None
    for sentence, found in enumerate(search.decode(**model.arguments(), demands=demands)):
        score = lambda output: scored(penalty, penalised(output, 1.3 if soft else 1.0), output)  # noqa: E731
        allowed = lambda output, sentence=sentence: all(HARD[name][1](model, sentence, output) for name in names)  # noqa: E731
        assert_found(found, model.best(sentence, score, 4, allowed), score)
