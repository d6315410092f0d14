"""A lexicon of likely translations, learnt from the training pairs alone: IBM model 1."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from s2s_lab.data.encoded import EncodedSplit, count_ids
from s2s_lab.data.vocabulary import NUM_SPECIALS

CHUNK = 500  # pairs whose links are made at once
LINKS = 20_000_000  # source words times target words of all pairs, at most: 4 bytes of memory each, and time


@dataclass(frozen=True, kw_only=True)
class LexiconSettings:
    """What decides a lexicon beside the data.

    Attributes:
        pairs: training pairs at most, evenly spaced; fewer where they have more than LINKS links.
        iterations: of expectation maximisation.
        translations: target ids of each source id at most.
        frequent: most frequent target ids that every sentence gets.
    """

    pairs: int = 100_000
    iterations: int = 5
    translations: int = 32
    frequent: int = 512


@dataclass(frozen=True)
class Lexicon:
    """Likely target ids.

    Attributes:
        translations: (source_size, k) int32, for each source id its most probable target ids, best first, then -1; a
            row of -1 alone where nothing is known, as of every special id.
        ranked: (ordinary target ids,) int32, all of them, the most frequent first.
        settings: how it was made.
    """

    translations: np.ndarray
    ranked: np.ndarray
    settings: LexiconSettings


class Probabilities(NamedTuple):
    """t(target | source) of the pairs of ids that stand in one sentence pair.

    Attributes:
        sources: (pairs,) int64, ascending; EOS is the empty word.
        targets: (pairs,) int64, ascending for each source.
        values: (pairs,) float64, summing to 1 for each source.
    """

    sources: np.ndarray
    targets: np.ndarray
    values: np.ndarray


def learn_lexicon(
    split: EncodedSplit, *, source_size: int, target_size: int, settings: LexiconSettings | None = None
) -> Lexicon:
    """Learns a lexicon from encoded pairs.

    Args:
        split: the training split.
        source_size: ids of the source vocabulary.
        target_size: ids of the target vocabulary.
        settings: how it is made.
    """
    settings = settings or LexiconSettings()
    found = translation_probabilities(split, target_size=target_size, settings=settings)
    translations = np.full((source_size, settings.translations), -1, np.int32)
    ordinary = (found.sources >= NUM_SPECIALS) & (found.targets >= NUM_SPECIALS)
    sources, targets, values = (part[ordinary] for part in found)
    order = np.lexsort((targets, -values, sources))
    sources, targets = sources[order], targets[order]
    ranks = np.arange(len(sources)) - np.searchsorted(sources, sources)
    kept = ranks < settings.translations
    translations[sources[kept], ranks[kept]] = targets[kept]
    counts = count_ids(split.folder, "target", target_size)[NUM_SPECIALS:]
    ranked = NUM_SPECIALS + np.argsort(-counts, kind="stable")
    return Lexicon(translations, ranked.astype(np.int32), settings)


def translation_probabilities(split: EncodedSplit, *, target_size: int, settings: LexiconSettings) -> Probabilities:
    """Estimates IBM model 1 from uniform probabilities.

    Each target word is linked to one source word or to the empty word, here the eos that ends every source; target
    eos takes no part.

    Paper: Brown et al. 1993, "The Mathematics of Statistical Machine Translation", section 4.1. Deviation: none.

    Args:
        split: encoded pairs.
        target_size: ids of the target vocabulary.
        settings: number of pairs and of iterations.
    """
    chosen = _chosen(split, settings.pairs)
    keys = [np.unique(links.keys(target_size)) for links in _links(split, chosen)]
    unique = np.unique(np.concatenate(keys)) if keys else np.empty(0, np.int64)
    places = [
        (np.searchsorted(unique, links.keys(target_size)).astype(np.int32), links.starts)
        for links in _links(split, chosen)
    ]
    sources, targets = np.divmod(unique, target_size)
    values = np.full(len(unique), 1.0 / target_size)
    for _ in range(settings.iterations):
        counts = np.zeros(len(unique))
        for pair, starts in places:
            shares = values[pair]
            shares /= np.repeat(np.add.reduceat(shares, starts), np.diff(starts, append=len(pair)))
            counts += np.bincount(pair, shares, minlength=len(unique))
        values = counts / np.bincount(sources, counts)[sources]
    return Probabilities(sources, targets, values)


class _Links(NamedTuple):
    """Every possible link of some sentence pairs, target word after target word.

    Attributes:
        sources: (links,) int64.
        targets: (links,) int64.
        starts: (target words,) int64, where the links of each begin.
    """

    sources: np.ndarray
    targets: np.ndarray
    starts: np.ndarray

    def keys(self, target_size: int) -> np.ndarray:
        """Numbers the pairs of ids: (links,) int64."""
        return self.sources * target_size + self.targets


def _chosen(split: EncodedSplit, pairs: int) -> np.ndarray:
    """Evenly spaced pairs: positions in the split, ascending."""
    links = float((split.source_lengths.astype(np.int64) * (split.target_lengths.astype(np.int64) - 1)).sum())
    count = min(len(split), pairs, max(1, int(len(split) * LINKS / max(links, 1.0))))
    return np.arange(count) * len(split) // max(count, 1)


def _links(split: EncodedSplit, chosen: np.ndarray) -> Iterator[_Links]:
    """Links of CHUNK pairs after the other; pairs whose target is empty have none."""
    chosen = chosen[split.target_lengths[chosen] > 1]
    for first in range(0, len(chosen), CHUNK):
        rows = chosen[first : first + CHUNK]
        widths = split.source_lengths[rows].astype(np.int64)
        words = split.target_lengths[rows].astype(np.int64) - 1
        targets = split.ids["target"][_ranges(split.offsets["target"][rows], words)].astype(np.int64)
        of_word = np.repeat(widths, words)  # source words that each target word may be linked to
        sources = split.ids["source"][_ranges(np.repeat(split.offsets["source"][rows], words), of_word)]
        yield _Links(sources.astype(np.int64), np.repeat(targets, of_word), np.cumsum(of_word) - of_word)


def _ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """start, start + 1, ..., for each start so many, one after the other."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1]) + np.repeat(np.asarray(starts, np.int64) - (ends - lengths), lengths)
