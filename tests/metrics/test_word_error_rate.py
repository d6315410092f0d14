"""Error rates against torchmetrics, and with several references."""

import pytest
from torchmetrics.functional.text import char_error_rate, word_error_rate

from s2s_lab.metrics.word_error_rate import WordErrorRate


def test_rates_equal_torchmetrics_on_single_references(corpus):
    hypotheses, references = corpus
    first = [accepted[0] for accepted in references]
    singles = [(reference,) for reference in first]
    assert WordErrorRate().score(hypotheses, singles).value == pytest.approx(word_error_rate(hypotheses, first).item())
    hypotheses, first = ([" ".join(line.split()) for line in lines] for lines in (hypotheses, first))
    rate = WordErrorRate(unit="character").score(hypotheses, singles).value
    assert rate == pytest.approx(char_error_rate(hypotheses, first).item())


def test_the_nearest_reference_counts_and_the_longer_of_equally_near():
    assert WordErrorRate().statistics(["a b"], [("x y z", "a c", "a b c")]).tolist() == [[1, 3]]


def test_empty_references_give_zero_for_silence_and_one_otherwise():
    assert WordErrorRate().score([""], [("",)]).value == 0
    assert WordErrorRate().score(["a b"], [("",)]).value == 1


def test_more_edits_than_words_exceed_one():
    assert WordErrorRate().score(["a b c"], [("x",)]).value == 3
