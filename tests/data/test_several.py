"""Laws of several sources of one target: in files, on disk and in batches."""

from pathlib import Path

import numpy as np
import pytest
import torch

from s2s_lab.data.collate import Collator, collate
from s2s_lab.data.corpora.base import Corpus
from s2s_lab.data.corpora.multi30k import Multi30kCorpus
from s2s_lab.data.corpora.parallel import ParallelCorpus
from s2s_lab.data.prepare import VocabularySettings
from s2s_lab.data.several import lengths_of, split_sources
from s2s_lab.data.tokenizers.bpe import BPETokenizer
from s2s_lab.data.tokenizers.whitespace import WhitespaceTokenizer
from s2s_lab.data.vocabulary import EOS, PAD
from s2s_lab.faults import RequestError
from tests.data.conftest import write_lines
from tests.data.test_prepare import run

ONE, TWO, TARGET = ["a b c", "b", "c c", "d"], ["x", "y z x", "z", "u v w x y"], ["p q", "p", "q", "p"]


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return made(tmp_path)


def made(folder: Path, one: list[str] = ONE, two: list[str] = TWO) -> Corpus:
    files = [str(write_lines(folder / f"{name}.txt", lines)) for name, lines in (("one", one), ("two", two))]
    target, other = write_lines(folder / "target.txt", TARGET), write_lines(folder / "other.txt", ["a\tx\tp"])
    return ParallelCorpus(
        train={"source": files, "target": str(target)}, validation={"tsv": str(other)}, source=["de", "fr"], target="en"
    )


def test_a_line_of_several_sources_has_a_tab_between_each_two(corpus: Corpus) -> None:
    assert (corpus.num_sources, corpus.source) == (2, "de-fr")
    lines = [f"{one}\t{two}" for one, two in zip(ONE, TWO, strict=True)]
    assert list(corpus.pairs("train")) == list(zip(lines, TARGET, strict=True))
    assert list(corpus.pairs("validation")) == [("a\tx", "p")]
    assert split_sources("a\tb c\t", 3) == ["a", "b c", ""] and split_sources("a\tb", 1) == ["a\tb"]
    for line, found in (("a", 1), ("a\tb\tc", 3)):
        with pytest.raises(RequestError, match=f"^{found} sources? separated by tabs, expected 2$"):
            split_sources(line, 2)


def test_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"two\.txt, line 2: a tab, which separates sources"):
        list(made(tmp_path, two=["x", "y\tz", "z", "u"]).pairs("train"))
    for one, two in ((ONE[:3], TWO), (ONE, TWO[:3]), ([*ONE, "e"], TWO), (ONE, [*TWO, "e"])):
        with pytest.raises(RequestError, match=r"equal numbers are expected \(line [45] has no partner\)"):
            list(made(tmp_path, one, two).pairs("train"))
    short = write_lines(tmp_path / "short.tsv", ["a\tp"])
    node = {"tsv": str(short)}
    wrong = ParallelCorpus(train=node, validation={"tsv": str(tmp_path / "other.txt")}, source=["de", "fr"])
    with pytest.raises(RequestError, match=r"short\.tsv, line 1: 2 columns; 2 sources and a target are expected"):
        list(wrong.pairs("train"))
    one = {"source": str(tmp_path / "one.txt"), "target": str(tmp_path / "target.txt")}
    two = {**one, "source": [one["source"], str(tmp_path / "two.txt")]}
    with pytest.raises(RequestError, match=r"data\.validation: 1 source files, expected 2, one for each source"):
        ParallelCorpus(train=two, validation=one)


def test_the_order_of_the_sources_tells_corpora_apart(tmp_path: Path) -> None:
    target, other = write_lines(tmp_path / "t.txt", TARGET), write_lines(tmp_path / "o.tsv", ["a\tx\tp"])
    files = [str(write_lines(tmp_path / f"{name}.txt", lines)) for name, lines in (("one", ONE), ("two", TWO))]
    found = [
        ParallelCorpus(
            train={"source": order, "target": str(target)}, validation={"tsv": str(other)}, source=["a", "b"]
        ).fingerprint()
        for order in (files, files[::-1])
    ]
    assert found[0] != found[1]


def test_multi30k_gives_two_languages_for_the_third(data_root: Path) -> None:
    several = Multi30kCorpus(root=str(data_root), source=["en", "fr"], target="de")
    alone = [Multi30kCorpus(root=str(data_root), source=source, target="de") for source in ("en", "fr")]
    assert several.num_sources == 2 and several.source == "en-fr"
    for found, first, second in zip(*(corpus.pairs("validation") for corpus in (several, *alone)), strict=True):
        assert found == (f"{first[0]}\t{second[0]}", first[1])
    for wrong in (["en", "de"], ["en", "en"], []):
        with pytest.raises(RequestError, match=r"different languages are expected"):
            Multi30kCorpus(root=str(data_root), source=wrong, target="de")


@pytest.mark.parametrize("shared", [False, True])
def test_each_source_is_encoded_as_if_it_stood_alone(corpus: Corpus, tmp_path: Path, shared: bool) -> None:
    data = run(
        corpus, tmp_path / "cache", BPETokenizer(vocabulary_size=30), vocabulary=VocabularySettings(shared=shared)
    )
    for split in corpus.splits():
        encoded = data.splits[split]
        assert encoded.num_sources == 2
        for index, (line, _) in enumerate(corpus.pairs(split)):
            expected = [
                [*data.source_vocabulary.encode(data.source_tokenizer.tokenize(source)), EOS]
                for source in line.split("\t")
            ]
            assert encoded.source(index).tolist() == [id_ for ids in expected for id_ in ids]
            assert lengths_of(encoded.source(index)).tolist() == [len(ids) for ids in expected]


def test_a_pair_is_left_out_where_any_source_is_empty_or_too_long(tmp_path: Path) -> None:
    data = run(
        made(tmp_path, one=["a b c", "", "c c", "d"]), tmp_path / "cache", WhitespaceTokenizer(), max_source_length=3
    )
    assert data.filtered == {"empty": 1, "source_too_long": 1, "target_too_long": 0}
    assert len(data.splits["train"]) == 2


def test_a_batch_holds_each_source_padded_for_itself(corpus: Corpus, tmp_path: Path) -> None:
    split = run(corpus, tmp_path / "cache").splits["train"]
    order = [2, 0, 3, 1]
    batch, other = Collator(split)[order], collate([split.source(row) for row in order], None, order)
    assert [values.shape[1] for values, _ in batch.sources] == [4, 6]
    for place, (values, lengths) in enumerate(batch.sources):
        assert torch.equal(other.sources[place][0], values) and torch.equal(other.sources[place][1], lengths)
        for row, index in enumerate(order):
            ids = split.source(index)
            end = np.flatnonzero(ids == EOS)[place] + 1
            expected = ids[end - lengths_of(ids)[place] : end].tolist()
            assert values[row, : lengths[row]].tolist() == expected
            assert values[row, lengths[row] :].eq(PAD).all()
    for row, index in enumerate(order):
        assert batch.source(row) == split.source(index).tolist()
    assert batch.source_lengths.tolist() == split.source_lengths[order].tolist()
    assert batch.global_source_tokens == int(split.source_lengths.sum())
