"""Word vectors are read from each of the three formats, and a broken file is one line that names the place."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from s2s_lab.data.vectors import read_vectors
from s2s_lab.faults import RequestError

LINES = ["the 1 2.5", "walk -1e-3 4", ". . . 5 6", "the 7 8"]
WANTED = {"the": 4, "run": 5, ". . .": 6}


def written(path: Path, *lines: str) -> Path:
    text = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.gz"])
@pytest.mark.parametrize("header", [[], ["4 2"]])
def test_wanted_vectors_are_found_the_first_of_each_token(name: str, header: list[str], tmp_path: Path) -> None:
    path = written(tmp_path / name, *header, *(line + " " for line in LINES))  # word2vec ends lines with a space
    ids, vectors = read_vectors(path, WANTED, 2)
    assert ids.tolist() == [4, 6] and vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.array([[1, 2.5], [5, 6]], np.float32))


def test_no_common_token_gives_no_vectors(tmp_path: Path) -> None:
    ids, vectors = read_vectors(written(tmp_path / "v.txt", *LINES), {"unheard": 4}, 2)
    assert ids.shape == (0,) and vectors.shape == (0, 2)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["4 3", *LINES], r"vectors of 3 numbers, expected 2 \(embedding.embedding_size\)"),
        (["the 1 2 3"], r"line 1: 3 numbers after the token, expected 2"),
        (["the 1 2", "run 1"], r"line 2: 1 numbers after the token, expected 2"),
        (["9 2", *LINES], r"4 vectors, expected 9, as its first line says"),
        (["the 1 two"], r"line 1: not a number"),
        (["the 1 nan"], r"line 1: a number is not finite"),
        ([], r"the file is empty"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(lines: list[str], reason: str, tmp_path: Path) -> None:
    path = written(tmp_path / "vectors.txt", *lines)
    with pytest.raises(RequestError, match=rf"^{path}.*{reason}"):
        read_vectors(path, WANTED, 2)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_bytes(b"the 1 2\n\xff 1 2\n")
    with pytest.raises(RequestError, match="line 2: not valid UTF-8"):
        read_vectors(path, WANTED, 2)
