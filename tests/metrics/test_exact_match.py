"""Exact match on small tables."""

import pytest

from s2s_lab.metrics.exact_match import ExactMatch


@pytest.mark.parametrize(
    ("hypothesis", "references", "lowercase", "expected"),
    [
        ("I_WALK I_RUN", ("I_WALK I_RUN",), False, 1.0),
        (" I_WALK  I_RUN ", ("I_WALK I_RUN",), False, 1.0),
        ("I_WALK", ("I_WALK I_RUN",), False, 0.0),
        ("b", ("a", "b"), False, 1.0),
        ("A", ("a",), False, 0.0),
        ("A", ("a",), True, 1.0),
        ("", ("",), False, 1.0),
    ],
)
def test_a_sentence_matches_when_its_words_equal_those_of_a_reference(hypothesis, references, lowercase, expected):
    assert ExactMatch(lowercase=lowercase).score([hypothesis], [references]).value == expected


def test_the_value_is_the_share_of_matching_sentences():
    assert ExactMatch().score(["a", "b", "c", "d"], [("a",), ("x",), ("c",), ("d", "e")]).value == 0.75


def test_the_signature_tells_case_and_references():
    assert ExactMatch(lowercase=True).signature(3) == "exact_match|nrefs:3|case:lc|version:1"
