"""Scores of what a strategy gives beside its quality: variety, oracle, length, empty outputs, log-probability."""

import math
import random

import numpy as np
import pytest
import sacrebleu

from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import Score
from s2s_lab.metrics.bleu import BLEU
from s2s_lab.metrics.distinct_n import DistinctN
from s2s_lab.metrics.empty_outputs import EmptyOutputs
from s2s_lab.metrics.length_ratio import LengthRatio
from s2s_lab.metrics.mean_log_prob import MeanLogProb
from s2s_lab.metrics.oracle_bleu import OracleBLEU
from s2s_lab.metrics.recorded import aggregate_of
from s2s_lab.metrics.self_bleu import SelfBLEU, against_others

WORDS = ["a", "b", "c", "D", "e."]


def line(generator: random.Random, least: int = 0) -> str:
    return " ".join(generator.choices(WORDS, k=generator.randint(least, 9)))


@pytest.fixture
def lists() -> list[list[str]]:
    """N-best lists of 12 sentences, 1 to 5 outputs long, some of them equal or empty."""
    generator = random.Random(7)
    return [[line(generator) for _ in range(generator.randint(1, 5))] for _ in range(12)]


@pytest.fixture
def references(lists: list[list[str]]) -> list[tuple[str, ...]]:
    generator = random.Random(8)
    return [tuple(line(generator, 1) for _ in range(generator.randint(1, 3))) for _ in lists]


def best(lists: list[list[str]]) -> list[str]:
    return [found[0] for found in lists]


def sentence_bleu(hypothesis: str, references: list[str] | tuple[str, ...], **options) -> float:
    scorer = sacrebleu.BLEU(effective_order=True, **options)
    return scorer.sentence_score(hypothesis, list(references)).score


@pytest.mark.parametrize("order", [1, 2, 3])
def test_distinct_n_is_distinct_ngrams_over_words(order: int, lists: list[list[str]]) -> None:
    outputs = best(lists)
    ngrams = {tuple(text.split()[at : at + order]) for text in outputs for at in range(len(text.split()) - order + 1)}
    expected = len(ngrams) / sum(len(text.split()) for text in outputs)
    assert DistinctN(order=order).score(outputs).value == pytest.approx(expected)


def test_distinct_n_of_outputs_that_say_the_same_falls_with_their_number() -> None:
    assert DistinctN(order=1).score(["a b", "a b", "b a", "a b"]).value == pytest.approx(2 / 8)
    assert DistinctN(order=2).score(["a b c"]).value == pytest.approx(2 / 3)
    assert DistinctN(order=2).score(["", "a"]).value == 0.0
    assert DistinctN(order=1).score(["", " "]).value == 0.0


def test_self_bleu_is_the_mean_sentence_bleu_against_the_others(lists: list[list[str]]) -> None:
    several = [found for found in lists if len(found) > 1]
    each = [
        sentence_bleu(text, found[:place] + found[place + 1 :], tokenize="none", force=True)
        for found in several
        for place, text in enumerate(found)
    ]
    score = SelfBLEU().score(lists)
    assert score.value == pytest.approx(float(np.mean(each)))
    assert [row.tolist() for row, found in zip(score.statistics, lists, strict=True) if len(found) == 1] == [
        [0.0, 0.0]
    ] * (len(lists) - len(several))


def test_self_bleu_of_equal_outputs_is_100_and_of_unlike_ones_0() -> None:
    assert against_others(["a b c d e", "a b c d e"]) == pytest.approx([100, 100])
    assert against_others(["a b c d", "e f g h", "i j k l"]) == pytest.approx([0, 0, 0])
    with pytest.raises(RequestError, match="self_bleu: no source has several outputs"):
        SelfBLEU().score([["a"], ["b"]])


@pytest.mark.parametrize("bleu", [BLEU(), BLEU(lowercase=True, tokenize="char", smooth_method="floor")])
def test_oracle_bleu_is_that_of_the_outputs_best_by_themselves(
    bleu: BLEU, lists: list[list[str]], references: list[tuple[str, ...]]
) -> None:
    options = {"lowercase": bleu.lowercase, "tokenize": bleu.tokenize, "force": True}
    chosen = [
        max(found, key=lambda text, accepted=accepted: sentence_bleu(text, accepted, **options))
        for found, accepted in zip(lists, references, strict=True)
    ]
    score = OracleBLEU(bleu=bleu).score(lists, references)
    assert score.value == pytest.approx(bleu.score(chosen, references).value)
    perfect = [[*found, accepted[-1]] for found, accepted in zip(lists, references, strict=True)]
    assert OracleBLEU(bleu=bleu).score(perfect, references).value == pytest.approx(100)
    with pytest.raises(RequestError, match="oracle_bleu: sentence 2 has no output"):
        OracleBLEU(bleu=bleu).score([["a"], []], [("a",), ("b",)])


def test_length_ratio_takes_the_closest_reference() -> None:
    assert LengthRatio().score(["a b c", ""], [("a b", "a b c d", "a"), ("a b",)]).value == pytest.approx(3 / 4)
    assert LengthRatio().score(["a b", "c"], [("x y",), ("z",)]).value == 1.0
    assert math.isnan(LengthRatio().score(["a"], [("",)]).value)


def test_empty_outputs_are_counted_whatever_was_expected() -> None:
    assert EmptyOutputs().score(["", " \t", "a", "b"], [("",), ("x",), ("x",), ("",)]).value == 0.5


def test_mean_log_probability_of_a_sentence_and_of_a_token() -> None:
    assert MeanLogProb().score([-2.0, -4.0], [1, 5]).value == -3.0
    assert MeanLogProb(per="token").score([-2.0, -4.0], [1, 5]).value == -1.0
    with pytest.raises(RequestError, match="log_prob: 1 log-probabilities but 2 numbers of tokens"):
        MeanLogProb().score([-1.0], [1, 2])


def scores(lists: list[list[str]], references: list[tuple[str, ...]]) -> list[Score]:
    outputs = best(lists)
    log_probs, tokens = [-float(len(text)) - 0.5 for text in outputs], [len(text.split()) + 1 for text in outputs]
    return [
        DistinctN(order=1).score(outputs),
        DistinctN(order=2, name="other").score(outputs),
        SelfBLEU().score(lists),
        OracleBLEU().score(lists, references),
        OracleBLEU(bleu=BLEU(lowercase=True, smooth_method="add-k", smooth_value=0.5)).score(lists, references),
        LengthRatio().score(outputs, references),
        EmptyOutputs().score(outputs, references),
        MeanLogProb().score(log_probs, tokens),
        MeanLogProb(per="token").score(log_probs, tokens),
    ]


def test_the_signature_gives_the_arithmetic_back(lists: list[list[str]], references: list[tuple[str, ...]]) -> None:
    found = scores(lists, references)
    assert len({score.signature for score in found}) == len(found)
    for score in found:
        assert score.statistics.shape[0] == len(lists) and np.isfinite(score.statistics).all(), score.name
        rebuilt = aggregate_of(score.name, score.signature)
        assert float(rebuilt.aggregate(score.statistics.sum(axis=0))) == score.value, score.name
        assert (rebuilt.name, rebuilt.higher_is_better) == (score.name, score.higher_is_better)
        several = np.stack([score.statistics.sum(axis=0)] * 6).reshape(2, 3, -1)
        assert rebuilt.aggregate(several).shape == (2, 3)


@pytest.mark.parametrize("metric", [DistinctN(order=1), SelfBLEU()])
def test_nothing_to_score_is_refused(metric: DistinctN | SelfBLEU) -> None:
    with pytest.raises(RequestError, match=f"{metric.name}: no "):
        metric.score([])
