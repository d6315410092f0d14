"""The share of sentences that equal no reference."""

import pytest

from s2s_lab.metrics.exact_match import ExactMatch
from s2s_lab.metrics.sentence_error_rate import SentenceErrorRate

HYPOTHESES = ["AH", "B  AH", "K AH", "", "EY"]
REFERENCES = [("AH", "EY"), ("B EH", "B AH"), ("K EY",), ("AH",), ("AH", "ey")]


def test_a_sentence_is_wrong_that_equals_none_of_its_references() -> None:
    score = SentenceErrorRate(name="word_error_rate").score(HYPOTHESES, REFERENCES)
    assert (score.name, score.value, score.higher_is_better) == ("word_error_rate", pytest.approx(3 / 5), False)
    assert SentenceErrorRate(lowercase=True).score(HYPOTHESES, REFERENCES).value == pytest.approx(2 / 5)


def test_it_is_what_exact_match_leaves_and_neither_is_taken_for_the_other() -> None:
    wrong, right = (metric.score(HYPOTHESES, REFERENCES) for metric in (SentenceErrorRate(), ExactMatch()))
    assert wrong.value == pytest.approx(1 - right.value)
    assert wrong.signature.split("|")[0] != right.signature.split("|")[0]
