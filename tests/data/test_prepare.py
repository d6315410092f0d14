"""Laws of preparation: trained on the training split alone, encoded exactly, cached soundly, filtered aloud."""

import json
import logging
import multiprocessing
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from s2s_lab.data.bucketing import BucketedBatches
from s2s_lab.data.corpora.files import FileCorpus
from s2s_lab.data.corpora.multi30k import Multi30kCorpus
from s2s_lab.data.corpora.parallel import ParallelCorpus
from s2s_lab.data.corpora.reverse import ReverseCorpus
from s2s_lab.data.prepare import VocabularySettings, prepare
from s2s_lab.data.prepared import PreparedData
from s2s_lab.data.tokenizers.base import Tokenizer
from s2s_lab.data.tokenizers.bpe import BPETokenizer
from s2s_lab.data.tokenizers.character import CharacterTokenizer
from s2s_lab.data.tokenizers.whitespace import WhitespaceTokenizer
from s2s_lab.data.vocabulary import EOS, UNK
from s2s_lab.faults import RequestError

TRAIN = [("a b c", "x y"), ("a b", "x"), ("a b a b a b", "y y"), ("d", "x x x x x x"), ("", "x"), ("a", "")]


def run(corpus: object, cache: Path, tokenizer: Tokenizer | None = None, **changes: object) -> PreparedData:
    tokenizer = tokenizer or WhitespaceTokenizer()
    options: dict = {
        "source_tokenizer": tokenizer,
        "target_tokenizer": tokenizer,
        "vocabulary": VocabularySettings(),
        "max_source_length": None,
        "max_target_length": None,
        **changes,
    }
    return prepare(corpus=corpus, cache=cache, **options)


def same(first: PreparedData, second: PreparedData) -> bool:
    return (
        first.source_vocabulary.tokens == second.source_vocabulary.tokens
        and first.target_vocabulary.tokens == second.target_vocabulary.tokens
        and first.fingerprint == second.fingerprint
        and first.filtered == second.filtered
        and first.word_counts == second.word_counts
        and all(
            np.array_equal(first.splits[split].ids[side], second.splits[split].ids[side])
            for split in first.splits
            for side in ("source", "target")
        )
    )


@pytest.mark.parametrize("shared", [False, True])
def test_the_memory_map_equals_encoding_each_line_directly(tmp_path: Path, parallel, shared: bool) -> None:
    corpus = parallel(train=TRAIN[:4], validation=[("a q c", "y z"), ("", "")])
    tokenizer = BPETokenizer(vocabulary_size=20)
    data = run(corpus, tmp_path / "cache", tokenizer, vocabulary=VocabularySettings(shared=shared))
    for split in corpus.splits():
        for index, (source, target) in enumerate(corpus.pairs(split)):
            encoded = data.splits[split]
            tokens = data.source_tokenizer.tokenize(source)
            assert encoded.source(index).tolist() == [*data.source_vocabulary.encode(tokens), EOS]
            tokens = data.target_tokenizer.tokenize(target)
            assert encoded.target(index).tolist() == [*data.target_vocabulary.encode(tokens), EOS]


def test_only_the_training_split_teaches_tokenizers_and_vocabularies(tmp_path: Path, parallel) -> None:
    tokenizer = BPETokenizer(vocabulary_size=40)
    data = run(parallel(train=TRAIN[:4]), tmp_path / "one", tokenizer)
    other = parallel(train=TRAIN[:4], validation=[("zzz zzz", "www www")] * 9, test=[("qqq qqq", "vvv")] * 9)
    again = run(other, tmp_path / "two", tokenizer)
    assert data.source_vocabulary.tokens == again.source_vocabulary.tokens
    assert data.target_tokenizer.state() == again.target_tokenizer.state()
    assert data.word_counts == again.word_counts
    assert UNK in again.splits["validation"].source(0)


def test_each_side_learns_from_its_own_side_unless_shared(tmp_path: Path, parallel) -> None:
    corpus = parallel(train=[("aaa bbb", "xxx yyy")] * 5)
    apart = run(corpus, tmp_path, BPETokenizer(vocabulary_size=60))
    assert not set(apart.source_vocabulary.tokens[4:]) & set(apart.target_vocabulary.tokens[4:])
    assert apart.source_tokenizer is not apart.target_tokenizer
    joint = run(corpus, tmp_path, BPETokenizer(vocabulary_size=60), vocabulary=VocabularySettings(shared=True))
    assert joint.source_tokenizer is joint.target_tokenizer
    assert joint.source_vocabulary is joint.target_vocabulary
    assert {"▁aaa", "▁yyy"} <= set(joint.target_vocabulary.tokens)


def test_the_given_tokenizers_stay_untrained(tmp_path: Path, parallel) -> None:
    tokenizer = BPETokenizer(vocabulary_size=40)
    before = tokenizer.state()
    run(parallel(train=TRAIN[:4]), tmp_path, tokenizer)
    assert tokenizer.state() == before


def test_sharing_needs_one_tokenizer(tmp_path: Path, parallel) -> None:
    with pytest.raises(RequestError, match=r"data\.vocabulary\.shared=true needs one tokenizer for both sides"):
        run(parallel(), tmp_path, vocabulary=VocabularySettings(shared=True), target_tokenizer=CharacterTokenizer())


def test_the_vocabulary_counts_kept_pairs_and_obeys_its_settings(tmp_path: Path, parallel) -> None:
    settings = VocabularySettings(min_freq=2, max_size=1)
    data = run(parallel(train=TRAIN), tmp_path, vocabulary=settings, max_source_length=3)
    assert data.source_vocabulary.tokens[4:] == ("a",)
    assert data.target_vocabulary.tokens[4:] == ("x",)
    assert data.word_counts == {"x": 8, "y": 1}


def test_long_and_empty_training_pairs_are_left_out_with_a_count_in_the_log(
    tmp_path: Path, parallel, caplog: pytest.LogCaptureFixture
) -> None:
    corpus = parallel(train=TRAIN, validation=TRAIN, test=TRAIN)
    for _ in ("made", "reused"):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            data = run(corpus, tmp_path, max_source_length=5, max_target_length=5)
        assert "train: 2 pairs kept, 4 left out (empty: 2, source_too_long: 1, target_too_long: 1)" in caplog.text
    assert data.filtered == {"empty": 2, "source_too_long": 1, "target_too_long": 1}
    assert {split: len(data.splits[split]) for split in data.splits} == {"train": 2, "validation": 6, "test": 6}


def test_a_corpus_that_is_filtered_away_is_refused(tmp_path: Path, parallel) -> None:
    with pytest.raises(
        RequestError, match=r"every training pair is filtered away \(2 empty, 4 source_too_long\); raise"
    ):
        run(parallel(train=[*TRAIN[:3], ("a b", "c"), *TRAIN[4:]]), tmp_path, max_source_length=1)
    assert not [path for path in tmp_path.iterdir() if path.is_dir() and path.name != "corpus"]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"ok\n\xff\n", "line 2: not valid UTF-8"), (b"ok\nmore\n", "has 2 lines but")],
)
def test_a_wrong_file_of_any_split_shows_before_training(
    tmp_path: Path, parallel, split: str, content: bytes, message: str
) -> None:
    corpus = parallel()
    (tmp_path / "corpus" / f"{split}.source").write_bytes(content)
    with pytest.raises(RequestError, match=rf"{split}\.source.*{message}"):
        run(corpus, tmp_path / "cache")


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"vocabulary": VocabularySettings(min_freq=0)}, r"data\.vocabulary\.min_freq=0"),
        ({"vocabulary": VocabularySettings(max_size=0)}, r"data\.vocabulary\.max_size=0"),
        ({"max_source_length": 0}, r"data\.max_source_length=0"),
        ({"max_target_length": -1}, r"data\.max_target_length=-1"),
    ],
)
def test_a_number_below_one_is_refused(tmp_path: Path, parallel, changes: dict, key: str) -> None:
    with pytest.raises(RequestError, match=key):
        run(parallel(), tmp_path, **changes)


def test_a_matching_cache_is_reused_without_reading_the_corpus(
    tmp_path: Path, parallel, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = parallel(train=TRAIN)
    first = run(corpus, tmp_path / "cache")
    assert len(first.splits["validation"]) == len(first.splits["test"]) == 1

    def unread(self: FileCorpus, split: str) -> None:
        raise AssertionError(f"{split} is read again")

    monkeypatch.setattr(FileCorpus, "stream", unread)
    assert same(run(corpus, tmp_path / "cache"), first)


@pytest.mark.parametrize(
    "changes",
    [
        {"vocabulary": VocabularySettings(min_freq=2)},
        {"vocabulary": VocabularySettings(shared=True)},
        {"max_source_length": 4},
        {"tokenizer": CharacterTokenizer()},
        {"words": list},
    ],
    ids=["min_freq", "shared", "max_source_length", "tokenizer", "words"],
)
def test_other_settings_get_another_cache(tmp_path: Path, parallel, changes: dict) -> None:
    corpus = parallel(train=TRAIN)
    first, other = run(corpus, tmp_path / "cache"), run(corpus, tmp_path / "cache", **changes)
    assert first.fingerprint != other.fingerprint
    assert first.folder != other.folder


def test_changed_files_get_another_cache(tmp_path: Path, parallel) -> None:
    first = run(parallel(train=TRAIN), tmp_path / "cache")
    assert run(parallel(train=TRAIN[::-1]), tmp_path / "cache").folder != first.folder


def test_files_that_change_while_they_are_read_leave_nothing_in_the_cache(tmp_path: Path, parallel) -> None:
    corpus, before = parallel(train=TRAIN), parallel(train=TRAIN).fingerprint()
    prepared = run(corpus, tmp_path / "cache")
    validation = tmp_path / "corpus" / "validation.source"
    text = validation.read_text(encoding="utf-8")
    validation.write_text("another line\n", encoding="utf-8")
    with pytest.raises(RequestError, match="its files were changed while they were read"):
        prepared.splits["validation"]
    validation.write_text(text, encoding="utf-8")
    assert corpus.fingerprint() == before
    encoded = run(corpus, tmp_path / "cache").splits["validation"]
    assert encoded.source(0).tolist() == [UNK, UNK, EOS]  # validation source


@pytest.mark.parametrize(
    "name",
    ["train/source.ids", "train/target.offsets", "meta.json", "target.vocabulary.txt", "source.tokenizer.json",
     "validation/source.ids"],
)  # fmt: skip
@pytest.mark.parametrize("damage", ["cut", "missing"])
def test_a_damaged_cache_is_rebuilt_with_a_line_in_the_log(
    tmp_path: Path, parallel, caplog: pytest.LogCaptureFixture, name: str, damage: str
) -> None:
    corpus = parallel(train=TRAIN)
    first = run(corpus, tmp_path / "cache")
    expected = {split: first.splits[split].source(0).tolist() for split in first.splits}
    path = first.folder / name
    path.unlink() if damage == "missing" else path.write_bytes(path.read_bytes()[:-1] if name != "meta.json" else b"{")
    again = run(corpus, tmp_path / "cache")
    assert {split: again.splits[split].source(0).tolist() for split in again.splits} == expected
    assert "is rebuilt" in caplog.text


def test_a_cache_of_another_fingerprint_is_rebuilt(tmp_path: Path, parallel, caplog: pytest.LogCaptureFixture) -> None:
    corpus = parallel(train=TRAIN)
    first = run(corpus, tmp_path / "cache")
    meta = json.loads((first.folder / "meta.json").read_text(encoding="utf-8"))
    (first.folder / "meta.json").write_text(json.dumps({**meta, "fingerprint": "0" * 64}), encoding="utf-8")
    assert same(run(corpus, tmp_path / "cache"), first)
    assert "it is of other data or settings" in caplog.text


def _prepare_in_a_process(cache: str, barrier, results) -> None:
    barrier.wait()
    data = run(ReverseCorpus(size=3000), Path(cache))
    results.put((data.fingerprint, [len(data.splits[split]) for split in data.splits]))


def test_two_processes_that_prepare_at_once_both_end_well(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=_prepare_in_a_process, args=(str(tmp_path), barrier, results)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert found[0] == found[1]
    assert found[0][1] == [3000, 500, 500]
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1


def test_test_is_the_first_test_set_and_unknown_splits_are_refused(tmp_path: Path, data_root: Path) -> None:
    corpus = Multi30kCorpus(root=str(data_root), source="en", target="de")
    data = run(corpus, tmp_path)
    assert list(data.splits) == ["train", "validation", "test_2016_flickr"]
    assert data.splits["test"] is data.splits["test_2016_flickr"]
    with pytest.raises(RequestError, match="split=best"):
        data.splits["best"]


def test_batches_of_128_captions_are_nine_tenths_full(tmp_path: Path, data_root: Path) -> None:
    corpus = Multi30kCorpus(root=str(data_root), source="en", target="de")
    train = run(corpus, tmp_path).splits["train"]
    for limits in ({"max_sentences": 128}, {"max_tokens": 4096}):
        batches = BucketedBatches(
            source_lengths=train.source_lengths, target_lengths=train.target_lengths, shuffle=True, seed=0, **limits
        )
        for epoch in range(3):
            batches.set_epoch(epoch)
            assert batches.fill() >= 0.9


def test_word_counts_are_of_the_words_that_are_asked_for(tmp_path: Path, parallel) -> None:
    corpus: ParallelCorpus = parallel(train=[("a", "Ja ja."), ("b", "Nein")])
    assert run(corpus, tmp_path).word_counts == {"Ja": 1, "ja.": 1, "Nein": 1}
    assert run(corpus, tmp_path, words=list).word_counts == dict(Counter("Ja ja.") + Counter("Nein"))
