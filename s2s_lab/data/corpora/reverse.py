"""A toy without files: sequences of letters and the same letters in reverse order."""

import hashlib
import json
import zlib
from collections.abc import Iterator

import numpy as np

from s2s_lab.data.corpora.base import Corpus, Pair
from s2s_lab.faults import RequestError

LETTERS = "abcdefghijklmnopqrstuvwxyz"
_CHUNK = 4096
_SHARES = 20  # of every 20 sequences, one may serve validation and one the test


class ReverseCorpus(Corpus):
    """Random letters, separated by spaces; the target is the source backwards.

    Generated while it is read, so that its size costs no memory. Which split a sequence may belong to is a function
    of the sequence alone: no sequence is in two splits.

    Args:
        size: training pairs.
        validation_size: validation pairs.
        test_size: test pairs.
        num_letters: how many different letters (2-26).
        min_length: shortest sequence, in letters.
        max_length: longest sequence, in letters.
        split_seed: chooses the sequences.

    Raises:
        RequestError: if a number is out of range.
    """

    name = "reverse"
    citation = "generated"
    licence = "generated, free"
    source = "letters"
    target = "reversed"

    def __init__(
        self,
        *,
        size: int,
        validation_size: int = 500,
        test_size: int = 500,
        num_letters: int = 10,
        min_length: int = 1,
        max_length: int = 10,
        split_seed: int = 0,
    ) -> None:
        self.sizes = {"train": size, "validation": validation_size, "test": test_size}
        for key, value in (("data.size", size), ("validation_size", validation_size), ("test_size", test_size)):
            if value < 1:
                raise RequestError(f"{key}={value}: at least 1 is expected")
        if not 2 <= num_letters <= len(LETTERS):
            raise RequestError(f"num_letters={num_letters}: 2 to {len(LETTERS)} are expected")
        if not 1 <= min_length <= max_length:
            raise RequestError(
                f"min_length={min_length} max_length={max_length}: 1 or more, and in this order, expected"
            )
        self.num_letters, self.min_length, self.max_length = num_letters, min_length, max_length
        self.split_seed = split_seed

    def splits(self) -> tuple[str, ...]:
        """train, validation, test."""
        return tuple(self.sizes)

    def stream(self, split: str) -> Iterator[Pair]:
        """Generates the pairs of a split once.

        Raises:
            RequestError: if so few sequences exist that the split would stay empty.
        """
        place = self.splits().index(split)
        remaining, chunk, fruitless = self.sizes[split], 0, 0
        while remaining:
            kept = [line for line in self._chunk(place, chunk) if _split_of(line) == place][:remaining]
            for line in kept:
                yield line, line[::-1]
            remaining -= len(kept)
            chunk, fruitless = chunk + 1, 0 if kept else fruitless + 1
            if fruitless == 100:
                raise RequestError(
                    f"data=reverse: no {split} sequence among {self.num_letters} letters of length "
                    f"{self.min_length}-{self.max_length}; give more letters or a larger max_length"
                )

    def _chunk(self, place: int, chunk: int) -> list[str]:
        noise = np.random.default_rng([self.split_seed, place, chunk])
        lengths = noise.integers(self.min_length, self.max_length + 1, size=_CHUNK).tolist()
        drawn = noise.integers(self.num_letters, size=(_CHUNK, self.max_length), dtype=np.uint8) + ord(LETTERS[0])
        rows = drawn.tobytes().decode("ascii")
        width = self.max_length
        return [" ".join(rows[row * width : row * width + length]) for row, length in enumerate(lengths)]

    def check(self) -> None:
        """Nothing: no file is read."""

    def fingerprint(self) -> dict[str, str]:
        """sha256 of the options: they decide every pair."""
        options = [self.split_seed, self.num_letters, self.min_length, self.max_length]
        return {
            split: hashlib.sha256(json.dumps(["reverse 1", split, size, *options]).encode()).hexdigest()
            for split, size in self.sizes.items()
        }


def _split_of(line: str) -> int:
    """Position in `splits()` of the only split that may hold this sequence."""
    share = zlib.crc32(line.encode("ascii")) % _SHARES
    return share if share in (1, 2) else 0
