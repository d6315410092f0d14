"""The corpus of a measurement: Multi30k where its folder is given, else a synthetic one that resembles it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from s2s_lab.data.cache import CacheFolder
from s2s_lab.faults import RequestError

MULTI30K = Path("multi30k", "lc_norm_tok")
SPLITS = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
PAIRS = {"train": 29_000, "validation": 1_014, "test": 1_000}

# Words follow Zipf and Mandelbrot, p(rank) ~ 1 / (rank + SHIFT) ** EXPONENT, fitted to the English side of Multi30k:
# in 29,000 sentences about 10,000 types, of which 5,900 come twice or more.
TYPES, EXPONENT, SHIFT = 16_000, 1.45, 5.0
STOP, FREQUENT = 0, 26  # the rank of the last word of every sentence; ranks below take turns with those above
MEAN_LENGTH, DEVIATION, SHORTEST, LONGEST = 13.0, 4.0, 4, 40
FORMAT = 2  # of the synthetic corpus; another number makes it anew


@dataclass(frozen=True)
class CorpusFiles:
    """The aligned files of a corpus.

    Attributes:
        about: which corpus it is, for the results.
        source: name of the source side.
        target: name of the target side.
        files: by split and side.
    """

    about: str
    source: str
    target: str
    files: dict[str, dict[str, Path]]

    def words(self) -> list[str]:
        """What `s2s-train data=parallel` is told of the files."""
        named = [f"data.source={self.source}", f"data.target={self.target}"]
        return named + [
            word(f"data.{split}.{side}", path) for split, sides in self.files.items() for side, path in sides.items()
        ]


def word(key: str, value: Any) -> str:
    """An override of a key by a text of any characters."""
    return f"{key}={quoted(value)}"


def quoted(value: Any) -> str:
    """A text of any characters as a value on the product's command line."""
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def choose_corpus(data: Path | None, scratch: Path, seed: int) -> CorpusFiles:
    """The corpus of a measurement.

    Args:
        data: the folder that holds multi30k/lc_norm_tok/, or None for the synthetic corpus.
        scratch: where the synthetic corpus is written, or found.
        seed: of the synthetic corpus.

    Raises:
        RequestError: if a file of Multi30k is missing.
    """
    if data is None:
        return synthetic_corpus(scratch, seed)
    files = {
        split: {
            side: data / MULTI30K / f"{stem}.{language}.gz" for side, language in (("source", "en"), ("target", "de"))
        }
        for split, stem in SPLITS.items()
    }
    for sides in files.values():
        for path in sides.values():
            if not path.is_file():
                raise RequestError(f"--data {data}: there is no {path.relative_to(data)} in it")
    return CorpusFiles("Multi30k lc_norm_tok, en to de", "en", "de", files)


def synthetic_corpus(scratch: Path, seed: int, pairs: dict[str, int] | None = None) -> CorpusFiles:
    """The synthetic corpus of a seed, written once.

    Args:
        scratch: where it lies.
        seed: of everything that chance decides.
        pairs: how many of each split; those of Multi30k by default.
    """
    pairs = PAIRS if pairs is None else pairs
    counts = "-".join(str(count) for count in pairs.values())
    folder = CacheFolder(scratch / "corpora", f"synthetic-{FORMAT}-{seed}-{counts}")
    with folder.locked():
        if not folder.path.is_dir():
            with folder.rebuilding() as fresh:
                for number, (split, count) in enumerate(pairs.items()):
                    _write(fresh, split, synthetic_pairs(count, np.random.default_rng([seed, number])))
    files = {
        split: {side: (folder.path / f"{split}.{side}").absolute() for side in ("source", "target")} for split in pairs
    }
    return CorpusFiles(f"synthetic, seed {seed}, {pairs['train']:,} pairs", "source", "target", files)


def synthetic_pairs(count: int, chance: np.random.Generator) -> tuple[list[list[str]], list[list[str]]]:
    """Pairs of a made-up language and its word-by-word translation.

    Frequent and rarer words take turns, and every sentence ends with the same word, which stands nowhere else, like
    the articles, nouns and full stops of captions: so a network learns soon where outputs end. A word has two or three
    translations, chosen by the word after it; one in ten of the rarer words has none, one in twenty has two words; one
    in five changes places with the word after it. So lengths differ, and there is something to learn.

    Args:
        count: of pairs.
        chance: decides lengths and words.

    Returns:
        The sources and the targets, each a list of words.
    """
    shape = (MEAN_LENGTH / DEVIATION) ** 2
    lengths = np.rint(chance.gamma(shape, MEAN_LENGTH / shape, count)).astype(np.int64).clip(SHORTEST, LONGEST)
    last = np.cumsum(lengths) - 1
    sentence = np.repeat(np.arange(count), lengths)
    turn = (np.arange(len(sentence)) - (last + 1 - lengths)[sentence]) % 2 == 0
    frequent, rarer = (draw_ranks(len(turn), chance, ranks) for ranks in (range(1, FREQUENT), range(FREQUENT, TYPES)))
    ids = np.where(turn, frequent, rarer)
    ids[last] = STOP
    following = np.append(ids[1:], STOP)
    following[last] = STOP
    copies = np.ones(TYPES, np.int64)
    copies[10::10], copies[15::20] = 0, 2
    place = np.arange(len(ids)) + np.where(ids % 5 == 0, 1.5, 0.0)
    place = np.minimum(place, last[sentence] - 0.5)  # before the last word, which
    place[last] = last  # stays
    order = np.argsort(place, kind="stable")
    translated = (3 * ids + following % np.where(ids % 3 == 0, 2, 3))[order]
    times = copies[ids][order]
    owner = np.repeat(sentence[order], times)
    target_ids = np.repeat(translated, times)
    target_lengths = np.bincount(owner, minlength=count)
    return _sentences("s", ids, lengths), _sentences("t", target_ids, target_lengths)


def draw_ranks(count: int, chance: np.random.Generator, ranks: range) -> np.ndarray:
    """Words as ranks, 0 being the most frequent of all: (count,) int64."""
    weights = (np.asarray(ranks) + 1.0 + SHIFT) ** -EXPONENT
    edges = np.cumsum(weights / weights.sum())
    return ranks.start + np.searchsorted(edges, chance.random(count)).clip(max=len(ranks) - 1)


def _sentences(letter: str, ids: np.ndarray, lengths: np.ndarray) -> list[list[str]]:
    words = [f"{letter}{id_}" for id_ in ids.tolist()]
    ends = np.cumsum(lengths).tolist()
    return [words[end - length : end] or [f"{letter}0"] for end, length in zip(ends, lengths.tolist(), strict=True)]


def _write(folder: Path, split: str, sides: tuple[list[list[str]], list[list[str]]]) -> None:
    for side, sentences in zip(("source", "target"), sides, strict=True):
        text = "".join(f"{' '.join(sentence)}\n" for sentence in sentences)
        (folder / f"{split}.{side}").write_text(text, encoding="utf-8")
