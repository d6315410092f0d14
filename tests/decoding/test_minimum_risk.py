"""Minimum Bayes risk decoding against plain double loops over sacrebleu's sentence scores and over the whole space."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
import sacrebleu
import torch

from s2s_lab.data.tokenizers.whitespace import WhitespaceTokenizer
from s2s_lab.data.vocabulary import Vocabulary
from s2s_lab.decoding import noise
from s2s_lab.decoding.base import Hypothesis
from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.beam_sampling import BeamSampling
from s2s_lab.decoding.constraints.no_repeat import NoRepeat
from s2s_lab.decoding.constraints.prefix import Prefix
from s2s_lab.decoding.minimum_risk import MinimumRisk
from s2s_lab.decoding.pruned_minimum_risk import PrunedMinimumRisk
from s2s_lab.decoding.sampling import Sampling
from s2s_lab.decoding.stochastic_beam import StochasticBeam
from s2s_lab.decoding.task import Demands
from s2s_lab.faults import RequestError, RunError
from s2s_lab.inference.text import TextSide
from s2s_lab.inference.utility import TextUtility
from s2s_lab.metrics.bleu import BLEU
from s2s_lab.metrics.chrf import ChrF
from s2s_lab.metrics.edit_distance import EditDistance

SIDE = TextSide(WhitespaceTokenizer(), Vocabulary(["ab", "bc.", "Cab", "a"]))
VOCAB = 8
LIMITS = {"max_length": 5, "max_length_ratio": None}


def bleu(hypothesis: str, reference: str) -> float:
    return sacrebleu.sentence_bleu(hypothesis, [reference], lowercase=True).score


def chrf(hypothesis: str, reference: str) -> float:
    return sacrebleu.sentence_chrf(hypothesis, [reference]).score


def edits(hypothesis: str, reference: str) -> float:
    table = {(i, j): i + j for i in range(len(hypothesis.split()) + 1) for j in range(len(reference.split()) + 1)}
    for (i, left), (j, right) in itertools.product(enumerate(hypothesis.split(), 1), enumerate(reference.split(), 1)):
        table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (left != right))
    return -float(table[len(hypothesis.split()), len(reference.split())])


METRICS = {
    "bleu": (BLEU(lowercase=True, effective_order=True), bleu),
    "chrf": (ChrF(), chrf),
    "edit_distance": (EditDistance(), edits),
}


def sampling(count: int, seed: int = 1) -> Any:
    return partial(Sampling, num_samples=count, seed=seed)


def drawn(toy: Any, make: Any, special_ids: dict[str, Any]) -> list[list[Hypothesis]]:
    return make(**special_ids, **LIMITS).decode(**toy.arguments())


def means(
    candidates: Sequence[Hypothesis], references: Sequence[Hypothesis], weights: Any, utility: Any
) -> list[float]:
    """The plain double loop."""
    found = []
    for candidate in candidates:
        total = sum(
            weight * utility(SIDE.line(candidate.ids), SIDE.line(reference.ids))
            for reference, weight in zip(references, weights, strict=True)
        )
        found.append(total / sum(weights))
    return found


def distinct(hypotheses: Sequence[Hypothesis]) -> list[Hypothesis]:
    return list({(each.ids, each.finished): each for each in hypotheses}.values())


def assert_ranks(found: list[Hypothesis], candidates: list[Hypothesis], expected: list[float]) -> None:
    """Scores are the expected utilities, best first, whatever the order of equal ones."""
    scores = {(each.ids, each.finished): score for each, score in zip(candidates, expected, strict=True)}
    best = sorted(expected, reverse=True)[: len(found)]
    assert [each.score for each in found] == pytest.approx(best, abs=1e-9)
    assert [each.score for each in found] == pytest.approx(
        [scores[each.ids, each.finished] for each in found], abs=1e-9
    )


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("apart", [False, True])
def test_it_equals_a_double_loop_over_sentence_scores(name: str, apart: bool, make_toy: Any, special_ids: Any) -> None:
    toy = make_toy(vocab=VOCAB, batch=6, dtype=torch.float64, ends=0.5)
    metric, plain = METRICS[name]
    strategy = MinimumRisk(
        **special_ids, **LIMITS, candidates=sampling(12), references=sampling(7, seed=5) if apart else None,
        further=partial(BeamSearch, size=4, num_hypotheses=4), utility=TextUtility(metric, SIDE), num_hypotheses=3,
    )  # fmt: skip
    samples = drawn(toy, sampling(12), special_ids)
    searched = drawn(toy, partial(BeamSearch, size=4, num_hypotheses=4), special_ids)
    references = drawn(toy, sampling(7, seed=5), special_ids) if apart else samples
    for row, found in enumerate(strategy.decode(**toy.arguments())):
        candidates = distinct([*samples[row], *searched[row]])
        assert len(found) == min(3, len(candidates))
        assert_ranks(found, candidates, means(candidates, references[row], [1] * len(references[row]), plain))


def test_over_the_whole_space_with_its_probabilities_it_is_the_best_exact_expected_utility(
    make_toy: Any, special_ids: Any
) -> None:
    toy, limit = make_toy(vocab=6, batch=3, dtype=torch.float64, ends=1.0), 3
    size = sum(3**length for length in range(limit + 1))  # unknown and two others; cut ones have the full length
    everything = partial(BeamSearch, size=size, num_hypotheses=size, stopping="optimal_bound")
    strategy = MinimumRisk(
        **special_ids, max_length=limit, max_length_ratio=None, candidates=everything, weights="probability",
        utility=TextUtility(ChrF(), SIDE),
    )  # fmt: skip
    for sentence, (found,) in enumerate(strategy.decode(**toy.arguments())):
        symbols: list[int] = [1, 4, 5]
        space = [ids for length in range(limit + 1) for ids in itertools.product(symbols, repeat=length)]
        mass = [
            np.exp(toy.rescore(sentence, ids if len(ids) == limit else (*ids, special_ids["eos"]))[0]) for ids in space
        ]
        exact = [
            sum(p * chrf(SIDE.line(ids), SIDE.line(other)) for other, p in zip(space, mass, strict=True)) / sum(mass)
            for ids in space
        ]
        assert found.score == pytest.approx(max(exact), abs=1e-9)
        assert exact[space.index(found.ids)] == pytest.approx(max(exact), abs=1e-9)


def test_n_by_s_ranks_by_a_random_part_of_the_draws_that_the_sentence_alone_decides(
    make_toy: Any, special_ids: Any
) -> None:
    toy = make_toy(vocab=VOCAB, batch=5, dtype=torch.float64, ends=0.5)
    seen: list[tuple[tuple[int, ...], ...]] = []
    utility = TextUtility(ChrF(), SIDE)

    class Watched:
        def signature(self) -> str:
            return "watched"

        def __call__(self, hypotheses: Any, references: Any) -> torch.Tensor:
            seen.append(tuple(references))
            return utility(hypotheses, references)

    def strategy(seed: int) -> MinimumRisk:
        return MinimumRisk(
            **special_ids, **LIMITS, candidates=sampling(30), num_references=4, utility=Watched(), seed=seed
        )

    whole = strategy(1).decode(**toy.arguments())
    of_whole, seen[:] = list(seen), []
    for row in range(5):
        (alone,) = strategy(1).decode(**toy.arguments([row]))
        assert [(each.ids, each.score) for each in alone] == [(each.ids, each.score) for each in whole[row]]
    assert seen == of_whole and all(1 <= len(set(each)) <= 4 for each in seen)
    seen.clear()
    strategy(2).decode(**toy.arguments())
    assert seen != of_whole
    counts = Counter()
    for seed in range(200):  # each draw is as likely to be chosen as any other
        counts.update(strategy(seed).shuffled(10, 3)[:4])
    assert set(counts) == set(range(10)) and max(abs(count - 80) for count in counts.values()) < 35


def pruned(special_ids: Any, **changes: Any) -> PrunedMinimumRisk:
    options = {"candidates": sampling(40), "utility": TextUtility(ChrF(), SIDE), "num_hypotheses": 3}
    return PrunedMinimumRisk(**special_ids, **LIMITS, **(options | changes))


def test_pruning_with_a_confidence_of_one_changes_nothing(make_toy: Any, special_ids: Any) -> None:
    toy = make_toy(vocab=VOCAB, batch=8, dtype=torch.float64, ends=0.5)
    full = MinimumRisk(
        **special_ids, **LIMITS, candidates=sampling(40), utility=TextUtility(ChrF(), SIDE), num_hypotheses=3
    )
    for found, expected in zip(
        pruned(special_ids, confidence=1.0).decode(**toy.arguments()), full.decode(**toy.arguments()), strict=True
    ):
        assert [each.ids for each in found] == [each.ids for each in expected]
        assert [each.score for each in found] == pytest.approx([each.score for each in expected], abs=1e-9)


def test_pruning_compares_fewer_pairs_and_what_it_keeps_has_its_full_score(make_toy: Any, special_ids: Any) -> None:
    toy = make_toy(vocab=VOCAB, batch=8, dtype=torch.float64, ends=0.5)
    compared = [0]
    utility = TextUtility(ChrF(), SIDE)

    class Counted:
        def signature(self) -> str:
            return "counted"

        def __call__(self, hypotheses: Any, references: Any) -> torch.Tensor:
            compared[0] += len(hypotheses) * len(references)
            return utility(hypotheses, references)

    samples, found, pairs = drawn(toy, sampling(40), special_ids), [], []
    for confidence in (1.0, 0.9):
        compared[0] = 0
        found.append(pruned(special_ids, utility=Counted(), confidence=confidence).decode(**toy.arguments()))
        pairs.append(compared[0])
    assert pairs[1] < 0.8 * pairs[0]
    for row, kept in enumerate(found[1]):
        candidates = distinct(samples[row])
        exact = dict(zip(((c.ids, c.finished) for c in candidates), means(candidates, samples[row], [1] * 40, chrf),
                         strict=True))  # fmt: skip
        assert len(kept) == min(3, len(candidates))
        assert [each.score for each in kept] == pytest.approx([exact[each.ids, each.finished] for each in kept])
    best = [each[0].score for each in found[0]]
    assert np.mean([each[0].score for each in found[1]]) > np.mean(best) - 2.0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"num_references": 0}, "decoding.num_references is 0"),
        ({"weights": "mass"}, "decoding.weights is 'mass', expected one of count, probability"),
        ({"utility": None}, "decoding.utility is None, expected a metric"),
        (
            {"candidates": partial(Sampling, max_length=3)},
            "decoding.candidates.max_length is set, expected decoding.max",
        ),
        ({"further": 3}, "decoding.further is 3, expected a strategy"),
        ({"references": dict}, "decoding.references is a dict, expected a strategy"),
        ({"references": sampling(5)}, "decoding.references.seed is 1, as that of candidates; expected another"),
        (
            {"further": sampling(5, seed=7), "references": partial(StochasticBeam, num_samples=3, seed=7)},
            "decoding.references.seed is 7, as that of candidates; expected another",
        ),
    ],
)
def test_options_out_of_range_are_refused(changes: dict[str, Any], expected: str, special_ids: Any) -> None:
    options = {"candidates": sampling(3), "utility": TextUtility(ChrF(), SIDE)}
    with pytest.raises(RequestError, match=expected):
        MinimumRisk(**special_ids, **(options | changes))


def test_the_chosen_references_do_not_depend_on_what_was_drawn_first(special_ids: Any) -> None:
    """The seed of the choice is that of the samples."""
    strategy = MinimumRisk(**special_ids, candidates=sampling(2), num_references=1, utility=TextUtility(ChrF(), SIDE))
    sentences = torch.arange(400)
    first_symbols = noise.uniform(noise.sample_keys(1, sentences, 2), 0)
    chosen = [strategy.shuffled(2, sentence)[0] for sentence in sentences.tolist()]
    lower = (first_symbols.argmin(dim=1) == torch.tensor(chosen)).sum().item()
    assert strategy.seed == 1 and abs(lower - 200) < 60  # six standard deviations


def test_pruning_needs_draws_and_a_confidence(special_ids: Any) -> None:
    with pytest.raises(RequestError, match="expected 'count': pruning resamples draws"):
        pruned(special_ids, weights="probability")
    with pytest.raises(RequestError, match=r"decoding\.confidence is 1\.5"):
        pruned(special_ids, confidence=1.5)


def test_a_sentence_without_any_output_is_told(make_toy: Any, special_ids: Any) -> None:
    toy, prefixes = make_toy(vocab=VOCAB), [(), (5, 5), (), (), (), ()]
    options = {"utility": TextUtility(ChrF(), SIDE), "constraints": (NoRepeat(size=1), Prefix()), **LIMITS}
    found = MinimumRisk(**special_ids, candidates=partial(BeamSearch, size=2, num_hypotheses=2), **options)
    with pytest.raises(RunError, match="sentence 1 got no hypothesis: every symbol was impossible"):
        found.decode(**toy.arguments(), demands=Demands(prefixes=prefixes))


def test_the_strategies_within_know_what_the_places_of_a_list_stand_for(make_toy: Any, special_ids: Any) -> None:
    toy, ids = make_toy(vocab=VOCAB), [0, 1, 2, 3, 5, 7]
    outside = torch.ones(VOCAB, dtype=torch.bool)
    outside[ids] = False

    def narrowed(previous: torch.Tensor, state: Any, memory: Any) -> Any:
        scores, state, weights = toy.step(torch.tensor(ids)[previous], state, memory)
        return scores[:, ids], state, weights

    def masked(previous: torch.Tensor, state: Any, memory: Any) -> Any:
        scores, state, weights = toy.step(previous, state, memory)
        return scores.masked_fill(outside, -torch.inf), state, weights

    for within in (partial(StochasticBeam, num_samples=4), partial(BeamSampling, size=4)):
        strategy = MinimumRisk(**special_ids, **LIMITS, candidates=within, utility=TextUtility(ChrF(), SIDE))
        whole = strategy.decode(**{**toy.arguments(), "step": masked})
        places = strategy.among(ids).decode(**{**toy.arguments(), "step": narrowed})
        expected = [[each.ids for each in nbest] for nbest in whole]
        assert [[tuple(ids[place] for place in each.ids) for each in nbest] for nbest in places] == expected


class Undefined(EditDistance):
    def aggregate(self, summed: np.ndarray) -> np.ndarray:
        return np.full(summed.shape[:-1], np.nan)


def test_a_metric_that_a_pair_leaves_undefined_is_refused() -> None:
    with pytest.raises(RunError, match="edit_distance of 'ab' beside 'a' is not a number; choose a metric"):
        TextUtility(Undefined(), SIDE)([(4,)], [(7,)])


def test_a_utility_without_a_text_side_tells_its_signature_and_compares_nothing() -> None:
    utility = TextUtility(ChrF(), None)
    assert utility.signature() == TextUtility(ChrF(), SIDE).signature()
    with pytest.raises(RequestError, match="no target side"):
        utility([(4,)], [(4,)])
