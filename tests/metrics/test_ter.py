"""TER against sacrebleu."""

import pytest
import sacrebleu.metrics.ter as reference

from s2s_lab.metrics.sacrebleu_statistics import streams
from s2s_lab.metrics.ter import TER


@pytest.mark.parametrize(
    ("options", "theirs"),
    [
        ({}, {}),
        ({"lowercase": False}, {"case_sensitive": True}),
        ({"normalized": True, "no_punct": True}, {"normalized": True, "no_punct": True}),
        ({"normalized": True, "asian_support": True}, {"normalized": True, "asian_support": True}),
    ],
    ids=str,
)
def test_score_and_signature_equal_sacrebleu(corpus, options, theirs):
    hypotheses, references = corpus
    scorer = reference.TER(**theirs)
    for part in (slice(None), slice(0, 2), slice(3, 4), slice(5, 6)):
        score = TER(**options).score(hypotheses[part], references[part])
        expected = scorer.corpus_score(hypotheses[part], streams(references[part]))
        assert score.value == pytest.approx(expected.score, rel=1e-12)
        assert score.signature == f"TER|{scorer.get_signature()}"


def test_empty_references_give_zero_for_silence_and_a_hundred_otherwise():
    assert TER().score([""], [("",)]).value == 0
    assert TER().score(["a b"], [("",)]).value == 100
