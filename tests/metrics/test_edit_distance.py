"""Edit distance on small tables."""

import pytest

from s2s_lab.metrics.edit_distance import EditDistance


@pytest.mark.parametrize(
    ("hypothesis", "references", "expected"),
    [
        ("a b c", ("a b c",), 0),
        ("a c", ("a b c",), 1),
        ("b a", ("a b",), 2),
        ("", ("a b c",), 3),
        ("a b", ("x y z", "a c"), 1),
    ],
)
def test_edits_are_counted_to_the_nearest_reference(hypothesis, references, expected):
    assert EditDistance().score([hypothesis], [references]).value == expected


def test_the_value_is_the_mean_over_sentences():
    assert EditDistance().score(["a", "b c"], [("a",), ("x y",)]).value == 1.0


def test_case_and_unit_are_options_named_in_the_signature():
    metric = EditDistance(unit="character", lowercase=True)
    assert metric.score(["KITTEN"], [("sitting",)]).value == 3
    assert metric.signature() == "edit_distance|nrefs:1|case:lc|unit:character|version:1"
