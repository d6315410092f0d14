"""chrF against sacrebleu."""

import itertools

import pytest
import sacrebleu.metrics.chrf as reference

from s2s_lab.faults import RequestError
from s2s_lab.metrics.chrf import ChrF
from s2s_lab.metrics.sacrebleu_statistics import streams

OPTIONS = [
    {},
    {"lowercase": True},
    {"word_order": 2},
    {"eps_smoothing": True, "word_order": 1},
    {"beta": 1, "char_order": 3, "whitespace": True},
    {"eps_smoothing": True, "whitespace": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_score_and_signature_equal_sacrebleu(corpus, options):
    hypotheses, references = corpus
    scorer = reference.CHRF(**options)
    for part in (slice(None), slice(0, 2), slice(3, 4)):
        score = ChrF(**options).score(hypotheses[part], references[part])
        expected = scorer.corpus_score(hypotheses[part], streams(references[part]))
        assert score.value == pytest.approx(expected.score, rel=1e-12)
        assert score.signature == f"{expected.name}|{scorer.get_signature()}"


def test_every_option_set_has_a_signature_of_its_own():
    settings = [
        {"beta": beta, "word_order": order, "lowercase": lowercase, "eps_smoothing": smoothing}
        for beta, order, lowercase, smoothing in itertools.product([1, 2], [0, 2], [True, False], [True, False])
    ]
    assert len({ChrF(**options).signature() for options in settings}) == len(settings)


@pytest.mark.parametrize("options", [{"char_order": 0}, {"word_order": -1}, {"beta": 0}], ids=str)
def test_orders_out_of_range_are_refused(options):
    with pytest.raises(RequestError, match=f"{next(iter(options))} is"):
        ChrF(**options)
