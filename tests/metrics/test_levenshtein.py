"""The bit-parallel distance against the textbook table."""

from hypothesis import given
from hypothesis import strategies as st

from s2s_lab.metrics.levenshtein import levenshtein

sequences = st.lists(st.sampled_from("abc"), max_size=12)


def by_the_table(left: list[str], right: list[str]) -> int:
    row = list(range(len(right) + 1))
    for number, symbol in enumerate(left, start=1):
        previous, row = row, [number]
        for position, other in enumerate(right):
            row.append(min(previous[position + 1] + 1, row[-1] + 1, previous[position] + (symbol != other)))
    return row[-1]


@given(sequences, sequences)
def test_distance_equals_the_textbook_table(left, right):
    assert levenshtein(left, right) == by_the_table(left, right)


def test_distance_holds_beyond_a_machine_word():
    left, right = list("abcabcb" * 30), list("bcbca" * 35)
    assert levenshtein(left, right) == by_the_table(left, right)


@given(sequences, sequences, sequences)
def test_distance_is_a_metric(left, right, third):
    assert levenshtein(left, right) == levenshtein(right, left)
    assert (levenshtein(left, right) == 0) == (left == right)
    assert levenshtein(left, third) <= levenshtein(left, right) + levenshtein(right, third)
