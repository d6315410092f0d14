"""The pronouncing dictionary: its split, its pronunciations, its faults."""

import os
from pathlib import Path

import pytest

from s2s_lab.data.corpora.cmudict import CmudictCorpus
from s2s_lab.faults import RequestError
from tests.data.conftest import REPOSITORY, write_lines

REAL = Path(os.environ.get("S2S_LAB_TEST_DATA", REPOSITORY.parent / "shared" / "data"))


def dictionary(folder: Path, *lines: str) -> CmudictCorpus:
    write_lines(folder / "g2p" / "cmudict.dict.gz", lines)
    return CmudictCorpus(root=str(folder))


def test_words_are_split_by_their_place_among_the_sorted_words(tmp_path: Path) -> None:
    words = [f"w{number:02}" for number in range(45)]
    corpus = dictionary(tmp_path, *(f"{word} W AH{index % 3}" for index, word in enumerate(reversed(words))))
    found = {split: [word for word, _ in corpus.pairs(split)] for split in corpus.splits()}
    assert found["validation"] == ["w00", "w20", "w40"]
    assert found["test"] == ["w01", "w02", "w21", "w22", "w41", "w42"]
    assert sorted(word for split in found.values() for word in split) == words


def test_a_training_word_gives_all_its_pronunciations_and_another_accepts_them(tmp_path: Path) -> None:
    entries = {"": "B EH1 T AH0", "(2)": "B IY1 T AH0", "(3)": "B EY1 T AH0"}
    lines = [f"{word}{variant} {entry}" for word in "abcd" for variant, entry in entries.items()]
    corpus = dictionary(tmp_path, *lines)
    plain = ("B EH T AH", "B IY T AH", "B EY T AH")
    assert list(corpus.pairs("validation")) == [("a", plain[0])]
    assert list(corpus.pairs("test")) == [("b", plain[0]), ("c", plain[0])]
    assert corpus.references("test") == [plain, plain]
    assert list(corpus.pairs("train")) == [("d", each) for each in plain]
    assert corpus.references("train") == [plain, (plain[1], plain[0], plain[2]), (plain[2], *plain[:2])]


def test_stress_and_comments_are_taken_off_and_what_then_is_equal_is_one(tmp_path: Path) -> None:
    corpus = dictionary(tmp_path, "a AH0", "a(2) AH1 # weak, name", "a(3) EY1")
    assert corpus.references("validation") == [("AH", "EY")]


@pytest.mark.parametrize("line", ["word", "", "word W3RD", "word W ER1 D ö", "# only this"])
def test_a_line_that_is_none_of_a_dictionary_is_named(tmp_path: Path, line: str) -> None:
    corpus = dictionary(tmp_path, "a AH0", line)
    with pytest.raises(RequestError, match=r"cmudict\.dict\.gz, line 2: .* a word and its phones are expected"):
        list(corpus.pairs("train"))


def test_other_sides_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"data\.source=phones data\.target=word: cmudict goes from word to phones"):
        CmudictCorpus(root=str(tmp_path), source="phones", target="word")
    with pytest.raises(RequestError, match=r"g2p/cmudict\.dict\.gz: no such file; say paths\.data=DIR"):
        CmudictCorpus(root=None)


@pytest.mark.skipif(not (REAL / "g2p").is_dir(), reason="needs the dictionary itself")
def test_the_dictionary_has_the_published_split() -> None:
    corpus = CmudictCorpus(root=str(REAL))
    counts = {split: len({word for word, _ in corpus.pairs(split)}) for split in corpus.splits()}
    assert counts == {"train": 107_143, "validation": 6_303, "test": 12_606}
    assert len(corpus.references("test")) == 12_606
    phones = {phone for split in corpus.splits() for _, line in corpus.pairs(split) for phone in line.split()}
    assert len(phones) == 39
