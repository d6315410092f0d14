"""Perplexity against its definition."""

import numpy as np
import pytest

from s2s_lab.faults import RequestError
from s2s_lab.metrics.perplexity import Perplexity, perplexity


def test_a_uniform_model_has_the_size_of_its_vocabulary_as_perplexity():
    tokens = np.array([3, 7, 1])
    assert perplexity(-np.log(50) * tokens, tokens).value == pytest.approx(50)


def test_certainty_has_perplexity_one_and_impossibility_is_infinite():
    assert perplexity([0.0], [4]).value == 1
    assert perplexity([-np.inf], [4]).value == np.inf
    assert perplexity([-1e6], [4]).value == np.inf


def test_pooled_tokens_equal_summed_statistics():
    score = perplexity([-3.0, -8.0], [2, 5])
    assert score.value == pytest.approx(np.exp(11 / 7))
    assert Perplexity().aggregate(score.statistics).tolist() == pytest.approx([np.exp(1.5), np.exp(1.6)])


def test_the_vocabulary_is_part_of_the_signature():
    assert perplexity([-1.0], [1], vocabulary="ab12").signature == "perplexity|eos:included|vocabulary:ab12|version:1"


@pytest.mark.parametrize(
    ("log_probs", "tokens", "message"),
    [([], [], "no sentence"), ([-1.0], [1, 2], "expected one of each"), ([-1.0, -2.0], [1, 0], "sentence 2 has no")],
)
def test_input_that_cannot_be_scored_is_refused(log_probs, tokens, message):
    with pytest.raises(RequestError, match=message):
        perplexity(log_probs, tokens)
