"""Token accuracy on small tables."""

import pytest

from s2s_lab.metrics.token_accuracy import TokenAccuracy


@pytest.mark.parametrize(
    ("hypothesis", "references", "statistics"),
    [
        ("a b c", ("a b c",), [3, 3]),
        ("a x c", ("a b c",), [2, 3]),
        ("a b", ("a b c d",), [2, 4]),
        ("a b c d", ("a b",), [2, 4]),
        ("b c a", ("a b c",), [0, 3]),
        ("a b", ("x y", "a y"), [1, 2]),
        ("", ("a b",), [0, 2]),
        ("", ("",), [0, 0]),
    ],
)
def test_positions_count_over_the_longer_side(hypothesis, references, statistics):
    assert TokenAccuracy().statistics([hypothesis], [references]).tolist() == [statistics]


def test_the_corpus_pools_tokens_and_silence_for_silence_is_perfect():
    assert TokenAccuracy().score(["a b c", "x"], [("a b c",), ("y",)]).value == 0.75
    assert TokenAccuracy().score([""], [("",)]).value == 1.0


def test_characters_can_be_the_unit():
    assert TokenAccuracy(unit="character").score(["abcd"], [("abxd",)]).value == 0.75
