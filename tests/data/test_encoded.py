"""Laws of the flat memory maps."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2s_lab.data.encoded import (
    SIDES,
    DamagedError,
    EncodedSplit,
    SplitWriter,
    count_ids,
    dtype_for,
    recode,
)
from s2s_lab.data.vocabulary import EOS

SENTENCES = [([4, 5, 6], [7]), ([], [8, 9]), ([60000], [])]


def write(folder: Path, pairs: list = SENTENCES, dtype: str = "uint16") -> Path:
    folder.mkdir()
    writer = SplitWriter(folder, dtype)
    for source, target in pairs:
        writer.add(source, target)
    writer.close()
    return folder


@settings(database=None, max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(*[st.lists(st.integers(4, 65535), max_size=5)] * 2), min_size=1, max_size=20),
    st.sampled_from(["uint16", "uint32"]),
)
def test_what_is_written_is_read_with_eos_at_every_end(
    tmp_path_factory: pytest.TempPathFactory, pairs: list, dtype: str
) -> None:
    split = EncodedSplit(write(tmp_path_factory.mktemp("encoded") / "split", pairs, dtype))
    assert len(split) == len(pairs)
    for index, (source, target) in enumerate(pairs):
        assert split.source(index).tolist() == [*source, EOS]
        assert split.target(index).tolist() == [*target, EOS]
    assert split.source_lengths.tolist() == [len(source) + 1 for source, _ in pairs]
    assert split.target_lengths.tolist() == [len(target) + 1 for _, target in pairs]
    assert (split.source_lengths.dtype, split.ids["source"].dtype) == (np.int32, np.dtype(dtype))


def test_many_sentences_pass_through_the_small_buffer(tmp_path: Path) -> None:
    pairs = [([index % 1000] * 7, [index % 777]) for index in range(30_000)]
    split = EncodedSplit(write(tmp_path / "split", pairs))
    assert all(split.source(index).tolist() == [*pairs[index][0], EOS] for index in range(0, 30_000, 997))
    assert split.offsets["source"][-1] == 30_000 * 8


def test_a_sentence_beyond_the_end_is_no_sentence(tmp_path: Path) -> None:
    split = EncodedSplit(write(tmp_path / "split"))
    for index in (-1, 3):
        with pytest.raises(IndexError, match=f"sentence {index} of 3"):
            split.source(index)


def test_recoding_maps_every_id_and_counting_counts_them(tmp_path: Path) -> None:
    folder = write(tmp_path / "split", [([1, 2, 2], [1]), ([4], [4, 4])], "uint32")
    assert count_ids(folder, "source", 6).tolist() == [0, 1, 2, 2, 1, 0]
    table = np.asarray([0, 10, 20, EOS, 40])
    recode(folder, {"source": table, "target": table + 100}, "uint16")
    split = EncodedSplit(folder)
    assert [split.source(index).tolist() for index in range(2)] == [[10, 20, 20, EOS], [40, EOS]]
    assert split.target(1).tolist() == [140, 140, EOS + 100]
    assert split.ids["target"].dtype == np.uint16


def test_the_narrowest_type_is_chosen() -> None:
    assert dtype_for(10, 1 << 16) == "uint16"
    assert dtype_for((1 << 16) + 1, 10) == "uint32"


@pytest.mark.parametrize("name", [f"{side}.{suffix}" for side in SIDES for suffix in ("ids", "offsets")])
@pytest.mark.parametrize("damage", ["cut", "longer", "missing"])
def test_a_damaged_file_is_noticed(tmp_path: Path, name: str, damage: str) -> None:
    path = write(tmp_path / "split") / name
    content = path.read_bytes()
    path.unlink() if damage == "missing" else path.write_bytes(content[:-1] if damage == "cut" else content + b"\0")
    with pytest.raises(DamagedError, match=name):
        EncodedSplit(tmp_path / "split")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 0, "dtype": "uint16"}', '{"format": 1, "dtype": "O"}'])
def test_a_damaged_description_is_noticed(tmp_path: Path, content: str) -> None:
    (write(tmp_path / "split") / "meta.json").write_text(content, encoding="utf-8")
    with pytest.raises(DamagedError, match=r"meta\.json"):
        EncodedSplit(tmp_path / "split")


def test_a_pickled_split_carries_its_folder_and_not_its_sentences(tmp_path: Path) -> None:
    split = EncodedSplit(write(tmp_path / "split", [([5] * 500, [6] * 500)] * 100))
    content = pickle.dumps(split)
    assert len(content) < 1000
    assert pickle.loads(content).source(7).tolist() == split.source(7).tolist()
