"""What every corpus gives: pairs of lines for each split, accepted references, and a fingerprint."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator

from s2s_lab.faults import RequestError

Pair = tuple[str, str]


class Pairs(Iterable[Pair]):
    """Pairs that can be read any number of times, streaming each time.

    Args:
        start: opens a fresh stream.
    """

    def __init__(self, start: Callable[[], Iterator[Pair]]) -> None:
        self._start = start

    def __iter__(self) -> Iterator[Pair]:
        return self._start()


class Corpus(ABC):
    """Source and target lines, split into train, validation and one or more test sets.

    Attributes:
        name: short name.
        citation: where it was published.
        licence: as its source states it.
        source: language or label of the source side.
        target: language or label of the target side.
        monolingual: whether all sources are empty.
        num_sources: sources of each target; the source line of a pair holds several separated by tabs.
    """

    name: str
    citation: str
    licence: str
    source: str
    target: str
    monolingual: bool = False
    num_sources: int = 1

    @abstractmethod
    def splits(self) -> tuple[str, ...]:
        """Names of the splits: train, validation, then the test sets, the first of which is also called `test`."""

    @abstractmethod
    def stream(self, split: str) -> Iterator[Pair]:
        """Reads the pairs of a split once; `split` is one of `splits()`."""

    @abstractmethod
    def fingerprint(self) -> dict[str, str]:
        """What the pairs depend on: a sha256 for each file, or for each generated split."""

    def check(self) -> None:
        """Reads every pair of every split once, so that what is wrong is told before a job begins.

        Raises:
            RequestError: if a file is wrong, naming it and the line.
        """
        for split in self.splits():
            for _ in self.pairs(split):
                pass

    def canonical(self, split: str) -> str:
        """The name in `splits()` that `split` stands for: itself, or the first test set for `test`.

        Raises:
            RequestError: if there is no such split.
        """
        names = self.splits()
        if split == "test" and len(names) > 2:
            return names[2]
        if split not in names:
            known = [*names, *(["test"] if len(names) > 2 and "test" not in names else [])]
            raise RequestError(f"split={split}: corpus {self.name} has no such split; expected {', '.join(known)}")
        return split

    def pairs(self, split: str) -> Pairs:
        """Pairs of a split in their own order, untouched; can be iterated again.

        Raises:
            RequestError: if there is no such split, or (while reading) if a file is wrong.
        """
        name = self.canonical(split)
        return Pairs(lambda: self.stream(name))

    def place(self, split: str, number: int, source: int = 0) -> str:
        """Where a pair's source stands, for messages.

        Args:
            split: one of `splits()`.
            number: of the pair, from 1.
            source: which of several sources, from 0.
        """
        return f"corpus {self.name}, split {split}, pair {number}"

    def references(self, split: str) -> list[tuple[str, ...]]:
        """Accepted outputs of each pair of a split, the pair's own target first."""
        return [(target,) for _, target in self.pairs(split)]
