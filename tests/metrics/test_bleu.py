"""BLEU against sacrebleu."""

import itertools

import numpy as np
import pytest
import sacrebleu.metrics.bleu as reference
from hypothesis import given
from hypothesis import strategies as st

from s2s_lab.faults import RequestError
from s2s_lab.metrics.bleu import BLEU
from s2s_lab.metrics.sacrebleu_statistics import streams

SMOOTHINGS = [("exp", None), ("none", None), ("floor", None), ("floor", 0.25), ("add-k", None), ("add-k", 2.5)]


@pytest.mark.parametrize(("smooth_method", "smooth_value"), SMOOTHINGS)
@pytest.mark.parametrize(
    ("lowercase", "tokenize", "effective_order"),
    [(True, "13a", False), (False, "intl", True), (True, "char", False), (False, "none", True), (False, "zh", False)],
)
def test_score_and_signature_equal_sacrebleu(corpus, lowercase, tokenize, effective_order, smooth_method, smooth_value):
    hypotheses, references = corpus
    options = {
        "lowercase": lowercase,
        "tokenize": tokenize,
        "effective_order": effective_order,
        "smooth_method": smooth_method,
        "smooth_value": smooth_value,
    }
    scorer = reference.BLEU(force=True, **options)
    for part in (slice(None), slice(0, 2), slice(3, 4)):
        score = BLEU(**options).score(hypotheses[part], references[part])
        expected = scorer.corpus_score(hypotheses[part], streams(references[part]))
        assert score.value == pytest.approx(expected.score, rel=1e-12)
        assert score.signature == f"BLEU|{scorer.get_signature()}"


@pytest.mark.parametrize(("smooth_method", "smooth_value"), SMOOTHINGS)
@given(
    lengths=st.tuples(st.integers(0, 8), st.integers(0, 8)),
    misses=st.lists(st.integers(0, 9), min_size=4, max_size=4),
    effective_order=st.booleans(),
)
def test_arithmetic_equals_sacrebleu_on_every_count(smooth_method, smooth_value, lengths, misses, effective_order):
    totals = [max(0, lengths[0] - order) for order in range(4)]
    matches = [max(0, total - miss) for total, miss in zip(totals, misses, strict=True)]
    metric = BLEU(smooth_method=smooth_method, smooth_value=smooth_value, effective_order=effective_order)
    expected = reference.BLEU.compute_bleu(
        list(matches), list(totals), *lengths, smooth_method, smooth_value, effective_order=effective_order
    )
    ours = metric.aggregate(np.array([*lengths, *matches, *totals]))
    assert float(ours) == pytest.approx(expected.score, rel=1e-12)


def test_lower_casing_is_named_in_the_signature_and_forgives_case():
    lowered = BLEU(lowercase=True)
    assert "|case:lc|" in lowered.signature()
    assert lowered.score(["THE RED DOG RUNS"], [("the red dog runs",)]).value == pytest.approx(100)
    assert BLEU().score(["THE RED DOG RUNS"], [("the red dog runs",)]).value == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokenize": "14a"}, "tokenize is '14a'; expected one of 13a"),
        ({"smooth_method": "expo"}, "smooth_method is 'expo'"),
        ({"smooth_value": 0.1}, "'exp' takes none"),
        ({"smooth_method": "floor", "smooth_value": 0.125}, "at most two decimals"),
        ({"smooth_method": "add-k", "smooth_value": -1.0}, "at least 0"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(RequestError, match=message):
        BLEU(**options)


def test_every_option_set_has_a_signature_of_its_own():
    settings = [
        {"lowercase": lowercase, "tokenize": tokenize, "effective_order": effective, "smooth_method": smooth}
        for lowercase, tokenize, effective, smooth in itertools.product(
            [True, False], ["13a", "char"], [True, False], ["exp", "floor"]
        )
    ]
    assert len({BLEU(**options).signature() for options in settings}) == len(settings)
