"""Encoding pairs of lines into a split on disk, in one pass over the corpus."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from s2s_lab.data.corpora.base import Pair
from s2s_lab.data.encoded import SIDES, Side, SplitWriter, count_ids, dtype_for, recode
from s2s_lab.data.several import split_sources
from s2s_lab.data.tokenizers.base import Tokenizer
from s2s_lab.data.vocabulary import EOS, Vocabulary

Item = TypeVar("Item")

_CHUNK = 1024  # pairs that are tokenized together


@dataclass(frozen=True)
class Limits:
    """Longest sentences that train, in tokens without eos; None for no limit."""

    source: int | None
    target: int | None


class CountingSettings(Protocol):
    """What decides which tokens enter a vocabulary."""

    @property
    def min_freq(self) -> int:
        """Rarer tokens are unknown."""
        ...

    @property
    def max_size(self) -> int | None:
        """Ordinary tokens at most."""
        ...

    @property
    def shared(self) -> bool:
        """One vocabulary for both sides."""
        ...


@dataclass(frozen=True)
class EncodedTraining:
    """What encoding the training split gave.

    Attributes:
        vocabularies: of source and target; one object when shared.
        sentences: pairs that were kept.
        filtered: pairs that were left out, by reason.
        word_counts: words of the raw targets that were kept.
    """

    vocabularies: tuple[Vocabulary, Vocabulary]
    sentences: int
    filtered: dict[str, int]
    word_counts: Counter[str]


def encode_training(
    pairs: Iterable[Pair],
    tokenizers: tuple[Tokenizer, Tokenizer],
    settings: CountingSettings,
    limits: Limits,
    words: Callable[[str], Sequence[str]],
    folder: Path,
    vocabularies: tuple[Vocabulary, Vocabulary] | None = None,
    monolingual: bool = False,
    num_sources: int = 1,
) -> EncodedTraining:
    """Encodes the training pairs that are neither empty nor too long, and makes the vocabularies of them.

    Every line is tokenized once: tokens are written with ids in the order of their first appearance, and get their
    final ids when all have been counted.

    Args:
        pairs: of the training split.
        tokenizers: of source and target, trained.
        settings: how vocabularies are made.
        limits: of the lengths.
        words: splits a raw target line into words.
        folder: exists and is empty.
        vocabularies: of source and target, where they are given and not to be made.
        monolingual: whether empty sources are kept.
        num_sources: that a source line holds; each must be neither empty nor too long.
    """
    writer = SplitWriter(folder, "uint32", tokenizers[0].num_factors)
    filtered = {"empty": 0, "source_too_long": 0, "target_too_long": 0}
    word_counts: Counter[str] = Counter()
    seen = _Appearance(), _Appearance()
    if settings.shared:
        seen = seen[0], seen[0]
    for sources, target, line, factors in _tokenized(pairs, tokenizers, num_sources):
        reason = _reason(sources, target, limits, monolingual)
        if reason is not None:
            filtered[reason] += 1
            continue
        word_counts.update(words(line))
        ids = [[seen[0][token] for token in source] for source in sources]
        writer.add(_in_a_row(ids, eos=0), [seen[1][token] for token in target], eos=0, factors=factors)
    writer.close()
    if not writer.sentences:
        empty = Vocabulary(())
        return EncodedTraining((empty, empty), 0, filtered, word_counts)
    source_vocabulary, target_vocabulary = vocabularies or _vocabularies(folder, seen, settings)
    tables: dict[Side, np.ndarray] = {
        "source": _table(seen[0], source_vocabulary),
        "target": _table(seen[1], target_vocabulary),
    }
    recode(folder, tables, dtype_for(len(source_vocabulary), len(target_vocabulary)))
    return EncodedTraining((source_vocabulary, target_vocabulary), writer.sentences, filtered, word_counts)


def _vocabularies(
    folder: Path, seen: "tuple[_Appearance, _Appearance]", settings: CountingSettings
) -> tuple[Vocabulary, Vocabulary]:
    counts = [count_ids(folder, side, len(ids) + 1) for side, ids in zip(SIDES, seen, strict=True)]
    if settings.shared:
        counts = [counts[0] + counts[1]] * 2
    source_vocabulary = _vocabulary(seen[0], counts[0], settings)
    return source_vocabulary, source_vocabulary if settings.shared else _vocabulary(seen[1], counts[1], settings)


def encode_pairs(
    pairs: Iterable[Pair],
    tokenizers: tuple[Tokenizer, Tokenizer],
    vocabularies: tuple[Vocabulary, Vocabulary],
    folder: Path,
    num_sources: int = 1,
) -> int:
    """Encodes all pairs with finished vocabularies, nothing filtered.

    Args:
        pairs: of a split.
        tokenizers: of source and target, trained.
        vocabularies: of source and target.
        folder: exists and is empty; EncodedSplit(folder) reads it afterwards.
        num_sources: that a source line holds.

    Returns:
        The number of pairs.
    """
    writer = SplitWriter(folder, dtype_for(*map(len, vocabularies)), tokenizers[0].num_factors)
    for sources, target, _, factors in _tokenized(pairs, tokenizers, num_sources):
        ids = [vocabularies[0].encode(source) for source in sources]
        writer.add(_in_a_row(ids), vocabularies[1].encode(target), factors=factors)
    writer.close()
    return writer.sentences


class _Appearance(dict[str, int]):
    """Ids from 1 on in the order of first appearance; 0 is eos."""

    def __missing__(self, token: str) -> int:
        self[token] = id_ = len(self) + 1
        return id_


def _tokenized(
    pairs: Iterable[Pair], tokenizers: tuple[Tokenizer, Tokenizer], num_sources: int
) -> Iterator[tuple[list[list[str]], list[str], str, list[tuple[int, ...]]]]:
    """Tokens of each source and of the target, the raw target line, and the factors of all sources' tokens in a row."""
    stream = iter(pairs)
    ends = [(EOS,) * tokenizers[0].num_factors]
    while chunk := list(islice(stream, _CHUNK)):
        lines, targets = zip(*chunk, strict=True)
        texts = [source for line in lines for source in split_sources(line, num_sources)]
        found = tokenizers[0].tokenize_many(texts)
        sources = [found[place : place + num_sources] for place in range(0, len(found), num_sources)]
        factors = [[] for _ in lines]
        if ends[0]:
            beside = tokenizers[0].factors_many(texts)
            of_sources = (beside[place : place + num_sources] for place in range(0, len(found), num_sources))
            factors = [_joined(of_source, ends) for of_source in of_sources]
        yield from zip(sources, tokenizers[1].tokenize_many(targets), targets, factors, strict=True)


def _in_a_row(sources: Sequence[list[int]], eos: int = EOS) -> list[int]:
    """Ids of all sources, each but the last ended."""
    return _joined(sources, [eos])


def _joined(sources: Sequence[list[Item]], end: list[Item]) -> list[Item]:
    joined = list(sources[0])
    for source in sources[1:]:
        joined += [*end, *source]
    return joined


def _reason(sources: Sequence[Sequence[str]], target: Sequence[str], limits: Limits, monolingual: bool) -> str | None:
    if not target or not (all(sources) or monolingual):
        return "empty"
    if limits.source is not None and max(map(len, sources)) > limits.source:
        return "source_too_long"
    if limits.target is not None and len(target) > limits.target:
        return "target_too_long"
    return None


def _vocabulary(seen: _Appearance, counts: np.ndarray, settings: CountingSettings) -> Vocabulary:
    by_token = dict(zip(seen, counts[1:].tolist(), strict=True))
    return Vocabulary.build(by_token, min_freq=settings.min_freq, max_size=settings.max_size)


def _table(seen: _Appearance, vocabulary: Vocabulary) -> np.ndarray:
    """The final id of each first-appearance id: (tokens + 1,)."""
    return np.asarray([EOS, *vocabulary.encode(seen)], np.int64)
