"""Text without sources: its lines, its splits, what is refused, and what of it is trained on."""

from pathlib import Path

import pytest

from s2s_lab.data.corpora.monolingual import MonolingualCorpus
from s2s_lab.data.prepare import VocabularySettings, prepare
from s2s_lab.data.tokenizers.whitespace import WhitespaceTokenizer
from s2s_lab.faults import RequestError

LINES = ["a b c", "", "d"]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, dict[str, str | None]]:
    for split in ("train", "validation"):
        (tmp_path / f"{split}.txt").write_text("\n".join([*LINES, split]) + "\n")
    return {split: {"text": f"{split}.txt"} for split in ("train", "validation")}


def test_sources_are_empty_and_lines_are_targets(files: dict, tmp_path: Path) -> None:
    corpus = MonolingualCorpus(**files, root=str(tmp_path), target="en")
    assert list(corpus.pairs("train")) == [("", line) for line in [*LINES, "train"]]
    assert corpus.splits() == ("train", "validation") and corpus.target == "en"
    assert set(corpus.fingerprint()) == {"train/train.txt", "validation/validation.txt"}


def test_every_line_with_words_trains(files: dict, tmp_path: Path) -> None:
    tokenizer = WhitespaceTokenizer()
    data = prepare(
        corpus=MonolingualCorpus(**files, root=str(tmp_path)), source_tokenizer=tokenizer, target_tokenizer=tokenizer,
        vocabulary=VocabularySettings(shared=True), max_source_length=None, max_target_length=2, cache=tmp_path / "c",
    )  # fmt: skip
    assert len(data.splits["train"]) == 2 and data.filtered == {"empty": 1, "source_too_long": 0, "target_too_long": 1}
    assert len(data.splits["validation"]) == 4
    assert set(data.target_vocabulary.tokens[4:]) == {"d", "train"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"train": {"text": None}}, "data.train: text=FILE is expected, found nothing"),
        (
            {"validation": {"text": "none.txt"}},
            "data.validation.text=none.txt: no such file, looked for in the current",
        ),
        ({"validation": {"text": "train.txt"}}, "data.train and data.validation are the same file"),
        ({"test": {"tsv": "train.txt"}}, "data.test: text=FILE is expected, found tsv"),
    ],
)
def test_files_that_are_none_are_refused(changes: dict, expected: str, files: dict, tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        MonolingualCorpus(**{**files, **changes}, root=str(tmp_path))
    assert str(caught.value).startswith(expected)
