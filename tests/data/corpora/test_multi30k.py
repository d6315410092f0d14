"""Laws of the Multi30k corpus."""

import gzip
from pathlib import Path

import pytest

from s2s_lab.data.corpora.multi30k import Multi30kCorpus
from s2s_lab.faults import RequestError


@pytest.mark.parametrize("languages", [(a, b) for a in ("en", "de", "fr") for b in ("en", "de", "fr") if a != b])
def test_any_pair_and_direction_gives_the_files_lines_in_their_order(data_root: Path, languages: tuple) -> None:
    source, target = languages
    corpus = Multi30kCorpus(root=str(data_root), source=source, target=target)
    for split, stem, count in (
        ("train", "train", 29000),
        ("validation", "val", 1014),
        ("test", "test_2016_flickr", 1000),
    ):
        lines = [
            gzip.decompress((data_root / "multi30k" / f"{stem}.{side}.gz").read_bytes()).decode().split("\n")[:-1]
            for side in languages
        ]
        pairs = list(corpus.pairs(split))
        assert len(pairs) == count
        assert pairs == list(zip(*lines, strict=True))


def test_test_is_another_name_of_the_first_test_set(data_root: Path) -> None:
    corpus = Multi30kCorpus(root=str(data_root), source="de", target="en")
    assert corpus.splits() == ("train", "validation", "test_2016_flickr")
    assert corpus.references("test") == corpus.references("test_2016_flickr")
    with pytest.raises(RequestError, match=r"split=dev: .* expected train, validation, test_2016_flickr, test"):
        corpus.pairs("dev")


@pytest.mark.parametrize("root", [None, "", "nowhere"])
def test_an_unset_or_wrong_folder_names_the_missing_file_and_the_key(root: str | None) -> None:
    with pytest.raises(RequestError, match=r"multi30k/train\.en\.gz: no such file; say paths\.data=DIR"):
        Multi30kCorpus(root=root, source="en", target="de")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "it", "target": "de"}, r"data\.source=it: multi30k has en, de, fr"),
        ({"source": "de", "target": "xx"}, r"data\.target=xx"),
        ({"source": "de", "target": "de"}, "two different languages"),
        ({"source": "de", "target": "en", "tests": ()}, "at least one test set"),
        ({"source": "de", "target": "en", "tests": ("test_1900",)}, r"test_1900\.de\.gz: no such file"),
    ],
)
def test_wrong_languages_and_test_sets_are_named(data_root: Path, options: dict, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        Multi30kCorpus(root=str(data_root), **options)


def test_unpacked_files_serve_as_well(tmp_path: Path) -> None:
    for stem in ("train", "val", "test_2016_flickr"):
        for language in ("en", "de"):
            path = tmp_path / "multi30k" / f"{stem}.{language}"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{stem} {language}\n", encoding="utf-8")
    corpus = Multi30kCorpus(root=str(tmp_path), source="en", target="de")
    assert list(corpus.pairs("validation")) == [("val en", "val de")]
