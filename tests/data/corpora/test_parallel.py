"""Laws of the corpus of anybody's own files."""

from pathlib import Path

import pytest

from s2s_lab.data.corpora.parallel import ParallelCorpus
from s2s_lab.faults import RequestError


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "s.txt").write_text("one\ntwo\n", encoding="utf-8")
    (tmp_path / "t.txt").write_text("eins\nzwei\n", encoding="utf-8")
    for name in ("b.tsv", "v.tsv"):
        (tmp_path / name).write_text("one\teins\ntwo\tzwei\n", encoding="utf-8")
    return tmp_path


def test_both_forms_mix_and_are_found_in_the_current_folder_or_in_paths_data(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two, one = {"source": "s.txt", "target": "t.txt", "tsv": None}, {"source": None, "target": None, "tsv": "b.tsv"}
    monkeypatch.chdir(files)
    here = ParallelCorpus(train=two, validation=one, test=one)
    monkeypatch.chdir(files.parent)
    there = ParallelCorpus(train=one, validation=two, root=str(files))
    assert here.splits() == ("train", "validation", "test")
    assert there.splits() == ("train", "validation")
    found = [list(corpus.pairs(split)) for corpus in (here, there) for split in ("train", "validation")]
    assert found == [[("one", "eins"), ("two", "zwei")]] * 4


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"source": None, "target": None, "tsv": None}, r"data\.train: source=FILE and target=FILE.* found nothing"),
        ({"source": "s.txt"}, "found source"),
        ({"source": "s.txt", "target": "t.txt", "tsv": "b.tsv"}, "found source, target, tsv"),
        ({"tsv": "no.tsv"}, r"data\.train\.tsv=no\.tsv: no such file.*paths\.data"),
        ({"tsv": "/no/where.tsv"}, r"data\.train\.tsv=/no/where\.tsv: no such file$"),
        ({"tsv": "folder"}, r"data\.train\.tsv=folder: .*/folder is no file$"),
    ],
)
def test_a_split_in_neither_form_or_a_missing_file_is_named(files: Path, node: dict, message: str) -> None:
    (files / "folder").mkdir()
    with pytest.raises(RequestError, match=message):
        ParallelCorpus(train=node, validation={"tsv": "b.tsv"}, root=str(files))


def test_a_corpus_without_a_test_set_says_so(files: Path) -> None:
    corpus = ParallelCorpus(train={"tsv": "b.tsv"}, validation={"tsv": "v.tsv"}, root=str(files))
    with pytest.raises(RequestError, match="split=test: corpus parallel has no such split"):
        corpus.pairs("test")


def test_the_fingerprint_follows_the_bytes(files: Path) -> None:
    def prints() -> dict[str, str]:
        return ParallelCorpus(train={"tsv": "b.tsv"}, validation={"tsv": "v.tsv"}, root=str(files)).fingerprint()

    before = prints()
    assert before == prints()
    (files / "b.tsv").write_text("one\teins\ntwo\tdrei\n", encoding="utf-8")
    assert before != prints()


def test_a_file_that_is_trained_and_validated_on_is_refused(files: Path) -> None:
    (files / "link.tsv").symlink_to(files / "b.tsv")
    for name in ("b.tsv", "link.tsv"):
        with pytest.raises(RequestError, match=r"data\.train and data\.validation are the same file .*b\.tsv"):
            ParallelCorpus(train={"tsv": "b.tsv"}, validation={"tsv": name}, root=str(files))
    with pytest.raises(RequestError, match="the same file"):
        pair = {"source": "s.txt", "target": "t.txt"}
        ParallelCorpus(train=pair, validation={**pair, "target": "s.txt"}, root=str(files))


def test_the_fingerprint_tells_sides_apart_and_files_of_one_name(tmp_path: Path) -> None:
    for side, text in (("en", "one\n"), ("de", "eins\n")):
        for split in ("train", "valid"):
            (tmp_path / side).mkdir(exist_ok=True)
            (tmp_path / side / f"{split}.txt").write_text(text)

    def prints(source: str, target: str) -> dict[str, str]:
        nodes = [{"source": f"{source}/{split}.txt", "target": f"{target}/{split}.txt"} for split in ("train", "valid")]
        return ParallelCorpus(train=nodes[0], validation=nodes[1], root=str(tmp_path)).fingerprint()

    assert len(prints("en", "de")) == 4 and prints("en", "de") != prints("de", "en")
    before = prints("en", "de")
    (tmp_path / "en" / "train.txt").write_text("two\n")
    assert before != prints("en", "de")
