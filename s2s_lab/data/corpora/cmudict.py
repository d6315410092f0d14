"""The CMU Pronouncing Dictionary: words in, their phones without stress out, with the split of g2p-seq2seq."""

import re
from collections.abc import Iterator
from pathlib import Path

from s2s_lab.data.corpora.base import Corpus, Pair
from s2s_lab.data.corpora.files import existing, read_lines, sha256_of
from s2s_lab.faults import RequestError

PLACE = Path("g2p") / "cmudict.dict.gz"
VARIANT = re.compile(r"\(\d+\)$")
PHONE = re.compile(r"([A-Z]+)[0-2]?")
EVERY = 20  # words to a turn of the split
VALIDATION, TEST = (0,), (1, 2)  # places in a turn; the others train


class CmudictCorpus(Corpus):
    """Words with all their pronunciations; the phones' stress marks are taken off.

    Words are sorted by code points; of every 20 the first is for validation, the next two are for the test, the rest
    train. A training word gives a pair for each of its pronunciations; a validation or test word gives one pair, with
    its first pronunciation, and accepts any of them. Pronunciations that differ in stress alone are one.

    Paper: the split and the training pairs are those of CMUSphinx's g2p-seq2seq.

    Reads {root}/g2p/cmudict.dict.gz (or the same unpacked): on each line a word, with `(2)`, `(3)`, ... behind it for
    further pronunciations, then phones; what follows a # is a comment.

    Args:
        root: the folder that holds g2p/ (`paths.data`).
        source: must be word.
        target: must be phones.

    Raises:
        RequestError: if source or target is another, or the file is missing.
    """

    name = "cmudict"
    citation = "Carnegie Mellon University, the CMU Pronouncing Dictionary"
    licence = "BSD-like (CMU)"

    def __init__(self, *, root: str | None, source: str = "word", target: str = "phones") -> None:
        if (source, target) != ("word", "phones"):
            raise RequestError(f"data.source={source} data.target={target}: cmudict goes from word to phones only")
        self.path = existing(Path(root or "") / PLACE, root=root, hint="the folder that holds g2p/")
        self.source, self.target = source, target
        self._read: dict[str, tuple[str, ...]] | None = None

    def splits(self) -> tuple[str, ...]:
        """train, validation, test."""
        return "train", "validation", "test"

    def stream(self, split: str) -> Iterator[Pair]:
        """The pairs of a split once; see the class."""
        for word, pronunciations in self._words(split):
            for pronunciation in pronunciations if split == "train" else pronunciations[:1]:
                yield word, pronunciation

    def references(self, split: str) -> list[tuple[str, ...]]:
        """All pronunciations of each pair's word, the pair's own first."""
        accepted = []
        for _, pronunciations in self._words(self.canonical(split)):
            for own in pronunciations if split == "train" else pronunciations[:1]:
                accepted.append((own, *(other for other in pronunciations if other != own)))
        return accepted

    def fingerprint(self) -> dict[str, str]:
        """sha256 of the file."""
        return {self.path.name: sha256_of(self.path)}

    def _words(self, split: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Words of a split with their pronunciations, in order."""
        places = {"validation": VALIDATION, "test": TEST}
        chosen = places.get(split, tuple(set(range(EVERY)).difference(VALIDATION, TEST)))
        for index, (word, pronunciations) in enumerate(self._dictionary().items()):
            if index % EVERY in chosen:
                yield word, pronunciations

    def _dictionary(self) -> dict[str, tuple[str, ...]]:
        """All words in sorted order, each with its pronunciations in the file's order.

        Raises:
            RequestError: naming the line that is none of a dictionary.
        """
        if self._read is None:
            found: dict[str, dict[str, None]] = {}
            for number, line in enumerate(read_lines(self.path), start=1):
                entry, *phones = line.partition("#")[0].split() or [""]
                matches = [PHONE.fullmatch(phone) for phone in phones]
                if not phones or None in matches:
                    raise RequestError(f"{self.path}, line {number}: {line!r}; a word and its phones are expected")
                plain = " ".join(match[1] for match in matches if match)
                found.setdefault(VARIANT.sub("", entry), {})[plain] = None
            self._read = {word: tuple(found[word]) for word in sorted(found)}
        return self._read
