"""Each warning, and its absence."""

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.metrics.quality import quality_warnings


def test_good_output_gives_no_warning():
    assert quality_warnings(["A dog runs.", ""], [("A dog runs.",), ("",)]) == []


def test_empty_hypotheses_are_counted_where_something_was_to_be_said():
    found = quality_warnings(["A dog runs on.", " ", ""], [("A dog runs on.",), ("a",), ("",)])
    assert found == ["1 of 3 hypotheses are empty where every reference has words"]


@pytest.mark.parametrize(("hypothesis", "warned"), [("ab", True), ("abcd", False), ("abcde", False), ("abcdef", True)])
def test_length_is_warned_of_outside_its_bounds(hypothesis, warned):
    found = quality_warnings([hypothesis], [("abcd",)])
    assert bool(found) == warned
    assert all("times the length of the references; expected 0.8 to 1.25" in line for line in found)


def test_length_is_measured_against_the_closest_reference():
    assert quality_warnings(["a b c"], [("a b c d e f g", "x y z")]) == []


def test_text_left_tokenized_is_warned_of_unless_the_references_are():
    assert quality_warnings(["It is so ."], [("It is so.",)]) == [
        '1 of 1 hypotheses end in a tokenized " ." unlike their references'
    ]
    assert quality_warnings(["It is so ."], [("It is so .",)]) == []


def test_unequal_counts_are_refused():
    with pytest.raises(RequestError, match="1 hypotheses but 2"):
        quality_warnings(["a"], [("a",), ("b",)])
