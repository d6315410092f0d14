"""Prepared data: what a training needs of its corpus, and text sides that were made before."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from s2s_lab.data.encoded import EncodedSplit
from s2s_lab.data.tokenizers.base import Tokenizer
from s2s_lab.data.vocabulary import Vocabulary


class LazySplits(Mapping[str, EncodedSplit]):
    """Encoded splits by name, each encoded when it is first asked for; `test` is the first test set.

    Args:
        names: names of the splits.
        canonical: gives the name that a name stands for.
        load: gives the encoded split of a name.
    """

    def __init__(
        self, names: Sequence[str], canonical: Callable[[str], str], load: Callable[[str], EncodedSplit]
    ) -> None:
        self._names, self._canonical, self._load = tuple(names), canonical, load
        self._loaded: dict[str, EncodedSplit] = {}

    def __getitem__(self, split: str) -> EncodedSplit:
        name = self._canonical(split)
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class PreparedData:
    """All that a training needs of its data.

    Attributes:
        source_tokenizer: trained on the training split; the target's own object when shared.
        target_tokenizer: trained on the training split.
        source_vocabulary: the target's own object when shared.
        target_vocabulary: of the target side.
        splits: encoded splits by name.
        fingerprint: sha256 of all that decides the encoded pairs.
        filtered: training pairs left out, by reason.
        word_counts: target words of the training split.
        folder: where it lies in the cache.
    """

    source_tokenizer: Tokenizer
    target_tokenizer: Tokenizer
    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    splits: Mapping[str, EncodedSplit]
    fingerprint: str
    filtered: dict[str, int]
    word_counts: dict[str, int]
    folder: Path


@dataclass(frozen=True)
class Given:
    """Text sides that were made before and are used as they are.

    Attributes:
        tokenizers: of source and target, trained; one object for both when shared.
        vocabularies: of source and target; one object for both when shared.
        digest: tells them from all others.
    """

    tokenizers: tuple[Tokenizer, Tokenizer]
    vocabularies: tuple[Vocabulary, Vocabulary]
    digest: str
