"""Recorded signatures give back the arithmetic of their scores."""

import numpy as np
import pytest

from s2s_lab.faults import RequestError
from s2s_lab.metrics.bleu import BLEU
from s2s_lab.metrics.chrf import ChrF
from s2s_lab.metrics.perplexity import Perplexity
from s2s_lab.metrics.recorded import aggregate_of
from s2s_lab.metrics.ter import TER


@pytest.mark.parametrize(
    "metric",
    [
        BLEU(lowercase=True),
        BLEU(smooth_method="floor", smooth_value=0.25, effective_order=True),
        BLEU(smooth_method="add-k"),
        BLEU(smooth_method="none"),
        ChrF(),
        ChrF(beta=3, word_order=2, char_order=4),
        ChrF(eps_smoothing=True),
        TER(lowercase=False),
    ],
    ids=lambda metric: metric.signature(),
)
@pytest.mark.parametrize("num_references", [1, 4, None])
def test_a_signature_gives_back_the_arithmetic_of_its_score(corpus, metric, num_references):
    hypotheses, references = corpus
    statistics = metric.statistics(hypotheses, references)
    rebuilt = aggregate_of(metric.name, metric.signature(num_references))
    assert type(rebuilt) is type(metric)
    assert (rebuilt.name, rebuilt.higher_is_better) == (metric.name, metric.higher_is_better)
    assert np.array_equal(rebuilt.aggregate(statistics), metric.aggregate(statistics))


def test_perplexity_comes_back_with_its_vocabulary():
    rebuilt = aggregate_of("perplexity", Perplexity(vocabulary="ab12").signature())
    assert isinstance(rebuilt, Perplexity)
    assert rebuilt.vocabulary == "ab12"


def test_a_signature_of_no_metric_is_refused():
    with pytest.raises(RequestError, match=r"'meteor'.*no metric of this installation"):
        aggregate_of("meteor", "METEOR|version:1")
