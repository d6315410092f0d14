"""Laws of the reverse toy."""

import tracemalloc
from itertools import islice

import pytest

from s2s_lab.data.corpora.reverse import ReverseCorpus
from s2s_lab.faults import RequestError


def test_the_target_is_the_source_backwards_and_lengths_are_within_their_limits() -> None:
    pairs = list(ReverseCorpus(size=2000, min_length=2, max_length=5, num_letters=3).pairs("train"))
    assert all(target.split() == source.split()[::-1] for source, target in pairs)
    assert {len(source.split()) for source, _ in pairs} == {2, 3, 4, 5}
    assert {letter for source, _ in pairs for letter in source.split()} == {"a", "b", "c"}


def test_every_split_has_its_size_and_no_sequence_is_in_two_splits() -> None:
    corpus = ReverseCorpus(size=5000, validation_size=300, test_size=200, max_length=4)
    lines = {split: [source for source, _ in corpus.pairs(split)] for split in corpus.splits()}
    assert {split: len(found) for split, found in lines.items()} == {"train": 5000, "validation": 300, "test": 200}
    train, validation, test = (set(lines[split]) for split in ("train", "validation", "test"))
    assert not train & validation and not train & test and not validation & test


def test_a_larger_corpus_begins_with_the_smaller_one_and_the_seed_changes_it() -> None:
    small, large = ReverseCorpus(size=100), ReverseCorpus(size=6000)
    assert list(small.pairs("train")) == list(islice(large.pairs("train"), 100))
    assert list(small.pairs("train")) != list(ReverseCorpus(size=100, split_seed=1).pairs("train"))


def test_reading_does_not_hold_the_corpus_in_memory() -> None:
    peaks = []
    for size in (20_000, 80_000):
        tracemalloc.start()
        assert sum(1 for _ in ReverseCorpus(size=size).pairs("train")) == size
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, r"data\.size=0"),
        ({"size": 5, "num_letters": 27}, "num_letters=27"),
        ({"size": 5, "min_length": 6, "max_length": 5}, "min_length=6 max_length=5"),
        ({"size": 5, "num_letters": 2, "max_length": 1}, "no (validation|test) sequence"),
    ],
)
def test_an_impossible_size_is_refused(options: dict, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        corpus = ReverseCorpus(**options)
        for split in corpus.splits():
            list(corpus.pairs(split))
