"""Word vectors in the text formats of word2vec, GloVe and fastText."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from s2s_lab.data.corpora.files import read_lines
from s2s_lab.faults import RequestError


def read_vectors(path: Path, wanted: Mapping[str, int], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Reads the vectors of some tokens; of a token that stands there twice, the first.

    A line is a token and its numbers. The token may hold spaces, but not on a first line that is no header.
    word2vec and fastText begin with a header, the number of vectors and their size; GloVe does not.

    Args:
        path: UTF-8 text, plain or .gz; read line by line.
        wanted: ids by token.
        size: numbers of a vector.

    Returns:
        The ids found (count,) int64, in the file's order, and their vectors (count, size) float32.

    Raises:
        RequestError: naming file and line, if the file cannot be read, its vectors have another size, a number is
            none or not finite, or it holds fewer vectors than its first line says.
    """
    found: dict[int, np.ndarray] = {}
    announced: int | None = None
    number = 0
    for number, raw in enumerate(read_lines(path), start=1):
        line = raw.rstrip(" ")
        if number == 1 and (announced := _header(line, size, path)) is not None:
            continue
        parts = line.rsplit(" ", size)
        if len(parts) != size + 1 or (number == 1 and line.count(" ") != size):
            raise RequestError(
                f"{path}, line {number}: {line.count(' ')} numbers after the token, expected {size} "
                "(embedding.embedding_size)"
            )
        id_ = wanted.get(parts[0])
        if id_ is not None and id_ not in found:
            found[id_] = _vector(parts[1:], path, number)
    if announced is not None and number - 1 != announced:
        raise RequestError(f"{path}: {number - 1} vectors, expected {announced}, as its first line says")
    vectors = np.stack(list(found.values())) if found else np.zeros((0, size), np.float32)
    return np.array(list(found), np.int64), vectors


def _header(line: str, size: int, path: Path) -> int | None:
    """The number of vectors that a first line announces; None if it is a vector itself."""
    parts = line.split(" ")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        return None
    if int(parts[1]) != size:
        raise RequestError(f"{path}: vectors of {parts[1]} numbers, expected {size} (embedding.embedding_size)")
    return int(parts[0])


def _vector(numbers: list[str], path: Path, line: int) -> np.ndarray:
    try:
        vector = np.array(numbers, np.float32)
    except ValueError as error:
        raise RequestError(f"{path}, line {line}: not a number ({error})") from error
    if not np.isfinite(vector).all():
        raise RequestError(f"{path}, line {line}: a number is not finite")
    return vector
