"""BLEU of Moses tokens against sacrebleu on the same tokens."""

import pytest
import sacrebleu.metrics.bleu as reference

from s2s_lab.faults import RequestError
from s2s_lab.metrics.sacrebleu_statistics import streams
from s2s_lab.metrics.tokenized_bleu import TokenizedBLEU


def test_score_equals_sacrebleu_on_moses_tokens(corpus):
    hypotheses, references = corpus
    metric = TokenizedBLEU()
    tokenized = [metric.prepare(line) for line in hypotheses]
    accepted = [tuple(metric.prepare(line) for line in group) for group in references]
    scorer = reference.BLEU(lowercase=True, tokenize="none", smooth_method="none", force=True)
    expected = scorer.corpus_score(tokenized, streams(accepted)).score
    assert metric.score(hypotheses, references).value == pytest.approx(expected, rel=1e-12)


def test_punctuation_is_split_and_nothing_is_escaped():
    assert TokenizedBLEU().prepare("It's red & round, Mr. Fox.") == "It 's red & round , Mr. Fox ."


def test_abbreviations_depend_on_the_language():
    assert TokenizedBLEU(language="de").prepare("Es ist ca. 3 m") == "Es ist ca. 3 m"
    assert TokenizedBLEU(language="en").prepare("Es ist ca. Rot") == "Es ist ca . Rot"


def test_the_signature_differs_from_that_of_raw_text():
    assert TokenizedBLEU(language="de").signature().startswith("moses_BLEU|moses:de|sacremoses:")


def test_an_unknown_language_is_refused():
    with pytest.raises(RequestError, match="language is 'xx'; expected one of as, bn"):
        TokenizedBLEU(language="xx")
