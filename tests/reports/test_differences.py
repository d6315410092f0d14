"""Marked words give back both the output and the reference."""

from hypothesis import given
from hypothesis import strategies as st

from s2s_lab.reports.differences import EXTRA, MISSING, SAME, mark_words

WORDS = st.lists(st.sampled_from("abcd"), max_size=8)


def joined(pieces: list[tuple[int, str]], *kinds: int) -> list[str]:
    return " ".join(words for kind, words in pieces if kind in kinds).split()


@given(WORDS, WORDS)
def test_nothing_is_lost_or_added(output: list[str], reference: list[str]) -> None:
    pieces = mark_words(" ".join(output), [" ".join(reference)])
    assert joined(pieces, SAME, EXTRA) == output
    assert joined(pieces, SAME, MISSING) == reference
    assert all(words for _, words in pieces)


@given(WORDS)
def test_equal_texts_have_no_difference(words: list[str]) -> None:
    assert {kind for kind, _ in mark_words(" ".join(words), [" ".join(words)])} <= {SAME}


@given(WORDS, WORDS, st.lists(st.booleans(), min_size=8, max_size=8))
def test_folded_words_are_marked_where_they_differ_in_more_than_case(
    output: list[str], reference: list[str], upper: list[bool]
) -> None:
    written = [word.upper() if big else word for word, big in zip(output, upper, strict=False)]
    pieces = mark_words(" ".join(written), [" ".join(reference)], fold=True)
    assert [(kind, words.lower()) for kind, words in pieces] == mark_words(" ".join(output), [" ".join(reference)])
    assert joined(pieces, SAME, EXTRA) == written, "words are shown as they were written"
    assert joined(pieces, MISSING) == joined(mark_words(" ".join(output), [" ".join(reference)]), MISSING)


def test_the_closest_reference_is_taken() -> None:
    assert mark_words("a b c", ["x y", "a b d", ""]) == [(SAME, "a b"), (EXTRA, "c"), (MISSING, "d")]
