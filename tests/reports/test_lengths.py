"""Buckets cover all lengths once, and their scores are those of their sentences."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_lab.metrics.bleu import BLEU
from s2s_lab.metrics.exact_match import ExactMatch
from s2s_lab.reports.entries import ScoreKind
from s2s_lab.reports.lengths import bucket_label, bucket_of, length_buckets, score_in_buckets

LENGTHS = st.lists(st.integers(0, 60), min_size=1, max_size=80).map(np.array)


@given(LENGTHS, st.integers(1, 9))
def test_every_length_lies_in_exactly_one_range(lengths: np.ndarray, most: int) -> None:
    buckets = length_buckets(lengths, most)
    assert 1 <= len(buckets) <= most
    for length in lengths:
        assert sum(start <= length <= end for start, end in buckets) == 1
    for (_, end), (start, _) in itertools.pairwise(buckets):
        assert start == end + 1
    places = bucket_of(lengths, buckets)
    assert all(buckets[place][0] <= length <= buckets[place][1] for place, length in zip(places, lengths, strict=True))
    assert set(places) == set(range(len(buckets))), "no range is empty"


def test_no_sentence_needs_no_range() -> None:
    assert length_buckets(np.array([], dtype=int)) == []


def test_labels() -> None:
    assert [bucket_label(bucket) for bucket in [(3, 3), (4, 9)]] == ["3", "4\u20139"]


def test_one_range_has_the_score_of_the_corpus_averaged_over_seeds() -> None:
    metric = BLEU()
    references = [("a b c d e",), ("f g h i j",)]
    seeds = [metric.score(["a b c d e", "f g h x j"], references), metric.score(["a b c d", "f g"], references)]
    kind = ScoreKind("bleu", seeds[0].signature, True)
    values = score_in_buckets(kind, [seed.statistics for seed in seeds], np.zeros(2, dtype=int), 1)
    assert values == [pytest.approx((seeds[0].value + seeds[1].value) / 2)]


def test_ranges_are_scored_apart_and_empty_ones_have_no_score() -> None:
    score = ExactMatch().score(["a", "b", "c"], [("a",), ("x",), ("c",)])
    kind = ScoreKind("exact_match", score.signature, True)
    values = score_in_buckets(kind, [score.statistics], np.array([0, 2, 0]), 3)
    assert (values[0], values[2]) == (1.0, 0.0)
    assert np.isnan(values[1])
