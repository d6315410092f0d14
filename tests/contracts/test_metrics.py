"""Laws of every metric of every option of the metrics group."""

import random
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from s2s_lab.faults import RequestError
from s2s_lab.metrics.base import Metric
from s2s_lab.metrics.recorded import aggregate_of

CONF = Path(__file__).resolve().parents[2] / "conf"
OPTIONS = sorted(path.stem for path in (CONF / "metrics").glob("*.yaml"))
WORDS = ["one", "Two", "three", "FOUR", "five-six", "7.5", "(eight)", "neun", "zehn", "elf"]


def composed(option: str):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(f"metrics/{option}").metrics


CASES = [(option, name) for option in OPTIONS for name in composed(option).scores]


@pytest.fixture(params=CASES, ids="-".join)
def metric(request: pytest.FixtureRequest) -> Metric:
    option, name = request.param
    return instantiate(composed(option).scores[name])


@pytest.fixture(params=["single", "several"])
def corpus(request: pytest.FixtureRequest) -> tuple[list[str], list[tuple[str, ...]]]:
    """(hypotheses, references) of 30 sentences; "several" has 1 to 3 references for a sentence."""
    generator = random.Random(11)

    def line() -> str:
        return " ".join(generator.choices(WORDS, k=generator.randint(4, 9)))

    references = [
        tuple(line() for _ in range(1 if request.param == "single" else generator.randint(1, 3))) for _ in range(30)
    ]
    hypotheses = [
        " ".join(word if generator.random() < 0.8 else generator.choice(WORDS) for word in accepted[-1].split())
        for accepted in references
    ]
    hypotheses[4] = ""
    return hypotheses, references


@pytest.mark.parametrize("option", OPTIONS)
def test_scores_have_the_names_of_their_keys_and_one_is_monitored(option):
    settings = composed(option)
    names = {key: instantiate(node).name for key, node in settings.scores.items()}
    assert all(key == name for key, name in names.items())
    assert settings.monitor in names


def test_perfect_hypotheses_give_the_optimum(metric, corpus):
    references = corpus[1]
    perfect = metric.score([accepted[-1] for accepted in references], references).value
    assert (
        perfect == 0 if not metric.higher_is_better else perfect == pytest.approx(100 if perfect > 2 else 1, rel=1e-12)
    )


def test_other_hypotheses_are_worse_than_perfect_ones(metric, corpus):
    hypotheses, references = corpus
    perfect = metric.score([accepted[-1] for accepted in references], references).value
    value = metric.score(hypotheses, references).value
    assert value < perfect if metric.higher_is_better else value > perfect


def test_order_of_sentences_does_not_matter(metric, corpus):
    hypotheses, references = corpus
    order = random.Random(3).sample(range(len(hypotheses)), len(hypotheses))
    shuffled = metric.score([hypotheses[i] for i in order], [references[i] for i in order])
    score = metric.score(hypotheses, references)
    assert shuffled.value == pytest.approx(score.value, rel=1e-12)
    assert np.array_equal(shuffled.statistics, score.statistics[order])


def test_statistics_of_a_concatenation_are_those_of_its_parts(metric, corpus):
    hypotheses, references = corpus
    parts = [metric.statistics(hypotheses[part], references[part]) for part in (slice(0, 9), slice(9, None))]
    whole = metric.score(hypotheses, references)
    assert np.array_equal(np.concatenate(parts), whole.statistics)
    assert float(metric.aggregate(parts[0].sum(axis=0) + parts[1].sum(axis=0))) == pytest.approx(whole.value, rel=1e-12)


def test_aggregate_of_sums_equals_the_score_of_the_resampled_corpus(metric, corpus):
    hypotheses, references = corpus
    statistics = metric.statistics(hypotheses, references)
    chosen = np.random.default_rng(5).integers(len(hypotheses), size=(2, 3, len(hypotheses)))
    values = metric.aggregate(statistics[chosen].sum(axis=2))
    assert values.shape == (2, 3)
    for place in np.ndindex(2, 3):
        resampled = metric.score([hypotheses[i] for i in chosen[place]], [references[i] for i in chosen[place]])
        assert values[place] == pytest.approx(resampled.value, rel=1e-12)


def test_empty_hypotheses_and_references_are_scored(metric, corpus):
    references = corpus[1]
    silence = metric.score([""] * len(references), references).value
    assert silence == pytest.approx(0, abs=1e-12) if metric.higher_is_better else silence > 0
    assert np.isfinite(metric.score(["", "one two"], [("",), ("",)]).value)
    assert np.isfinite(metric.score([""], [("",)]).value)


def test_another_accepted_reference_never_hurts_an_exact_hypothesis(metric):
    hypothesis = "one two three four five"
    value = metric.score([hypothesis], [(hypothesis,)]).value
    for accepted in [(hypothesis, "six"), ("six", hypothesis), ("six seven", "eight", hypothesis)]:
        assert metric.score([hypothesis], [accepted]).value == pytest.approx(value, rel=1e-12)


def test_unequal_counts_are_refused(metric, corpus):
    hypotheses, references = corpus
    with pytest.raises(RequestError, match=f"{metric.name}: 29 hypotheses but 30 sentences of references"):
        metric.score(hypotheses[1:], references)


def test_statistics_are_finite_float64_rows(metric, corpus):
    statistics = metric.score(*corpus).statistics
    assert statistics.dtype == np.float64
    assert statistics.ndim == 2
    assert len(statistics) == len(corpus[0])
    assert np.isfinite(statistics).all()


def test_the_signature_names_the_references_and_gives_the_arithmetic_back(metric, corpus):
    hypotheses, references = corpus
    score = metric.score(hypotheses, references)
    several = len({len(accepted) for accepted in references}) > 1
    assert f"|nrefs:{'var' if several else 1}|" in score.signature
    rebuilt = aggregate_of(score.name, score.signature)
    assert float(rebuilt.aggregate(score.statistics.sum(axis=0))) == score.value
    assert (rebuilt.name, rebuilt.higher_is_better) == (score.name, score.higher_is_better)


def test_translation_bleu_is_lower_cased_by_default_and_can_be_overridden_alone():
    assert "|case:lc|" in instantiate(composed("translation").scores.bleu).signature()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        settings = compose("metrics/translation", overrides=["metrics.scores.bleu.lowercase=false"]).metrics
    assert "|case:mixed|" in instantiate(settings.scores.bleu).signature()


def test_statistics_of_all_pairs_are_those_of_each(metric):
    lines = [
        "one Two three FOUR.",
        "one, (two) three",
        "",
        "one one one one one",
        "three FOUR one Two",
        "(a) b: c!",
        "x",
    ]
    left, right = [*lines, lines[0]], lines[1:]
    found = metric.pairs(left, right)
    assert found.shape[:2] == (len(left), len(right))
    for row, hypothesis in zip(found, left, strict=True):
        for statistics, reference in zip(row, right, strict=True):
            np.testing.assert_array_equal(statistics, metric.statistics([hypothesis], [(reference,)])[0])
