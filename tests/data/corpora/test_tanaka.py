"""Laws of the Tanaka corpus."""

from pathlib import Path

import pytest

from s2s_lab.data.corpora.tanaka import TanakaCorpus
from s2s_lab.faults import RequestError


def test_both_directions_give_the_same_pairs_turned_round(data_root: Path) -> None:
    forward = TanakaCorpus(root=str(data_root), source="ja", target="en")
    backward = TanakaCorpus(root=str(data_root), source="en", target="ja")
    for split, count in (("train", 10000), ("validation", 500), ("test", 500)):
        pairs = list(forward.pairs(split))
        assert len(pairs) == count
        assert [(source, target) for target, source in backward.pairs(split)] == pairs


def test_other_languages_and_a_missing_folder_are_named(data_root: Path) -> None:
    with pytest.raises(RequestError, match=r"data\.source=ja data\.target=de: tanaka has ja and en"):
        TanakaCorpus(root=str(data_root), source="ja", target="de")
    with pytest.raises(RequestError, match=r"tanaka_ja_en/train\.ja\.gz: no such file; say paths\.data=DIR"):
        TanakaCorpus(root=None)
