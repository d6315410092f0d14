"""Words are counted once, in the group of their training count, and matched as often as both sides have them."""

from hypothesis import given
from hypothesis import strategies as st

from s2s_lab.records.word_counts import words
from s2s_lab.reports.frequency import EDGES, frequency_scores, group_label, training_counts

LINES = st.lists(st.text("ab c", max_size=12), min_size=1, max_size=5)


def test_a_worked_example() -> None:
    counts = {"the": 1000, "cat": 1, "mat": 3}
    scores = frequency_scores(counts, [["the the cat zebra"]], [("the cat mat",)])
    group = {name: EDGES.index(start) for name, start in {"the": 1000, "cat": 1, "mat": 2, "zebra": 0}.items()}
    assert (scores.precision(group["the"]), scores.recall(group["the"])) == (0.5, 1.0)
    assert scores.f1(group["the"]) == 2 / 3
    assert scores.f1(group["cat"]) == 1.0
    assert (scores.precision(group["mat"]), scores.recall(group["mat"])) == (None, 0.0)
    assert (scores.precision(group["zebra"]), scores.recall(group["zebra"])) == (0.0, None)
    assert scores.f1(EDGES.index(10_000)) is None


@given(LINES)
def test_perfect_outputs_have_f1_one(lines: list[str]) -> None:
    scores = frequency_scores({"a": 5}, [lines, lines], [(line,) for line in lines])
    assert all(scores.f1(group) in (None, 1.0) for group in range(len(EDGES)))
    assert sum(scores.expected) == 2 * sum(len(words(line)) for line in lines)


@given(LINES, st.data())
def test_swapping_outputs_and_references_swaps_precision_and_recall(lines: list[str], data: st.DataObject) -> None:
    others = data.draw(st.lists(st.text("ab c", max_size=12), min_size=len(lines), max_size=len(lines)))
    forth = frequency_scores({"b": 7}, [lines], [(line,) for line in others])
    back = frequency_scores({"b": 7}, [others], [(line,) for line in lines])
    for group in range(len(EDGES)):
        assert forth.precision(group) == back.recall(group)
        assert forth.f1(group) == back.f1(group)


def test_of_several_references_the_closest_counts() -> None:
    scores = frequency_scores({}, [["a b"]], [("x y", "a b")])
    assert scores.f1(0) == 1.0


def test_recorded_tokens_are_brought_to_words() -> None:
    assert training_counts({"Dog": 2, "dog": 1, "dog.": 4}) == {"dog": 7, ".": 4}


def test_groups_follow_each_other() -> None:
    labels = [group_label(group) for group in range(len(EDGES))]
    assert labels == ["0", "1", "2 to 4", "5 to 9", "10 to 99", "100 to 999", "1,000 to 9,999", "10,000 or more"]
