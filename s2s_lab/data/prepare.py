"""From a corpus to tokenizers, vocabularies and encoded splits, kept in a cache on disk."""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2s_lab.data.cache import CacheFolder
from s2s_lab.data.corpora.base import Corpus, Pair
from s2s_lab.data.corpora.files import sha256_of
from s2s_lab.data.encode import Limits, encode_pairs, encode_training
from s2s_lab.data.encoded import DamagedError, EncodedSplit
from s2s_lab.data.prepared import Given, LazySplits, PreparedData
from s2s_lab.data.several import split_sources
from s2s_lab.data.tokenizers.base import Tokenizer
from s2s_lab.data.vocabulary import Vocabulary
from s2s_lab.faults import RequestError

log = logging.getLogger(__name__)

FORMAT = 2  # of the cache folder


@dataclass(frozen=True, kw_only=True)
class VocabularySettings:
    """How vocabularies are made from the training split.

    Attributes:
        min_freq: rarer tokens are unknown.
        max_size: ordinary tokens at most; None for no limit.
        shared: one tokenizer and one vocabulary for both sides.
    """

    min_freq: int = 1
    max_size: int | None = None
    shared: bool = False


def prepare(
    *,
    corpus: Corpus,
    source_tokenizer: Tokenizer,
    target_tokenizer: Tokenizer,
    vocabulary: VocabularySettings,
    max_source_length: int | None,
    max_target_length: int | None,
    cache: Path,
    words: Callable[[str], Sequence[str]] = str.split,
    given: Given | None = None,
) -> PreparedData:
    """Trains tokenizers and vocabularies on the training split and encodes the splits, or takes all from the cache.

    Training pairs with an empty side or a side longer than its limit are left out, and counted in the log; other
    splits are never filtered. A cache that matches is reused after hashing the corpus's files only.

    Args:
        corpus: where the pairs come from.
        source_tokenizer: untrained; it is copied, not changed.
        target_tokenizer: untrained, of the same options as the source's when the vocabulary is shared.
        vocabulary: how vocabularies are made.
        max_source_length: in tokens without eos, or None.
        max_target_length: in tokens without eos, or None.
        cache: folder that holds prepared corpora.
        words: splits a raw target line into the words that `word_counts` counts.
        given: tokenizers and vocabularies that are not to be made anew, or None.

    Raises:
        RequestError: if the corpus or a setting is wrong, or nothing is left to train on.
    """
    limits = Limits(source=max_source_length, target=max_target_length)
    _check(source_tokenizer, target_tokenizer, vocabulary, limits)
    files = corpus.fingerprint()
    fingerprint = _fingerprint(corpus, files, source_tokenizer, target_tokenizer, vocabulary, limits, words, given)
    folder = CacheFolder(cache, f"{corpus.name}-{fingerprint[:16]}")
    sides = given.tokenizers if given else _localized(corpus, source_tokenizer, target_tokenizer, vocabulary.shared)
    with folder.locked():
        problem = _problem(folder.path, fingerprint)
        if problem is not None:
            if folder.path.exists():
                log.warning("the cache %s is rebuilt: %s", folder.path, problem)
            with folder.rebuilding() as fresh:
                _build(fresh, corpus, sides, vocabulary, limits, words, fingerprint, given)
                _check_unchanged(corpus, files)
    return _load(folder, corpus, files, sides, vocabulary.shared, fingerprint)


def _check(source: Tokenizer, target: Tokenizer, vocabulary: VocabularySettings, limits: Limits) -> None:
    values = {
        "data.vocabulary.min_freq": vocabulary.min_freq,
        "data.vocabulary.max_size": vocabulary.max_size,
        "data.max_source_length": limits.source,
        "data.max_target_length": limits.target,
    }
    for key, value in values.items():
        if value is not None and value < 1:
            raise RequestError(f"{key}={value}: at least 1 is expected")
    if vocabulary.shared and _options(source) != _options(target):
        raise RequestError(
            "data.vocabulary.shared=true needs one tokenizer for both sides, "
            f"found {_options(source)} and {_options(target)}"
        )


def _options(tokenizer: Tokenizer) -> dict[str, Any]:
    return {"tokenizer": type(tokenizer).__name__, **tokenizer.configuration()}


def _check_unchanged(corpus: Corpus, files: Mapping[str, str]) -> None:
    """Refuses what was read of files that changed meanwhile: it would be kept under the fingerprint of before."""
    if corpus.fingerprint() != files:
        raise RequestError(f"corpus {corpus.name}: its files were changed while they were read; start again")


def _fingerprint(
    corpus: Corpus,
    files: Mapping[str, str],
    source: Tokenizer,
    target: Tokenizer,
    vocabulary: VocabularySettings,
    limits: Limits,
    words: Callable[[str], Sequence[str]],
    given: Given | None,
) -> str:
    parts = {
        "format": FORMAT,
        "corpus": [corpus.name, corpus.source, corpus.target, corpus.splits(), files],
        "tokenizers": [_options(source), _options(target)],
        "vocabulary": dataclasses.asdict(vocabulary),
        "limits": dataclasses.asdict(limits),
        "words": words.__qualname__,
        **({"given": given.digest} if given else {}),
        **({"num_sources": corpus.num_sources} if corpus.num_sources > 1 else {}),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _localized(corpus: Corpus, source: Tokenizer, target: Tokenizer, shared: bool) -> tuple[Tokenizer, Tokenizer]:
    """Untrained copies; one object for both sides when shared, in the language of the target, which is written."""
    own_target = target.for_language(corpus.target)
    return (own_target if shared else source.for_language(corpus.source)), own_target


def _build(
    folder: Path,
    corpus: Corpus,
    tokenizers: tuple[Tokenizer, Tokenizer],
    vocabulary: VocabularySettings,
    limits: Limits,
    words: Callable[[str], Sequence[str]],
    fingerprint: str,
    given: Given | None,
) -> None:
    factored = tokenizers[0].num_factors > 0
    for split in corpus.splits()[0 if factored else 1 :]:
        for number, pair in enumerate(corpus.pairs(split), start=1):  # a damaged file shows before anything is trained
            for place, source in enumerate(_sources(corpus, pair) if factored else ()):
                if (fault := tokenizers[0].fault(source)) is not None:
                    raise RequestError(f"{corpus.place(split, number, place)}: {fault}")
    if given is None:
        _train(corpus, tokenizers)
    (folder / "train").mkdir()
    result = encode_training(
        corpus.pairs("train"),
        tokenizers,
        vocabulary,
        limits,
        words,
        folder / "train",
        given.vocabularies if given else None,
        corpus.monolingual,
        corpus.num_sources,
    )
    if not result.sentences:
        reasons = ", ".join(f"{count} {reason}" for reason, count in result.filtered.items() if count)
        too_long = any(count for reason, count in result.filtered.items() if reason != "empty")
        raising = f"; raise data.max_source_length={limits.source} or data.max_target_length={limits.target}"
        raise RequestError(
            f"corpus {corpus.name}: every training pair is filtered away ({reasons}){raising if too_long else ''}"
        )
    for name, tokenizer, tokens in zip(("source", "target"), tokenizers, result.vocabularies, strict=True):
        tokenizer.save(folder, name)
        tokens.save(folder / f"{name}.vocabulary.txt")
    counts = dict(sorted(result.word_counts.items(), key=lambda item: (-item[1], item[0])))
    (folder / "word_counts.json").write_text(json.dumps(counts, ensure_ascii=False), encoding="utf-8")
    sums = {path.name: sha256_of(path) for path in folder.iterdir() if path.is_file()}
    meta = {"fingerprint": fingerprint, "filtered": result.filtered, "pairs": result.sentences, "sums": sums}
    (folder / "meta.json").write_text(json.dumps(meta) + "\n", encoding="utf-8")


def _train(corpus: Corpus, tokenizers: tuple[Tokenizer, Tokenizer]) -> None:
    """Trains the tokenizers on the training split alone: one for both sides, or one for each."""
    source, target = tokenizers
    if source is target:
        if source.trainable:
            source.train(line for pair in corpus.pairs("train") for line in (*_sources(corpus, pair), pair[1]))
        return
    if source.trainable:
        source.train(line for pair in corpus.pairs("train") for line in _sources(corpus, pair))
    if target.trainable:
        target.train(line for _, line in corpus.pairs("train"))


def _sources(corpus: Corpus, pair: Pair) -> list[str]:
    return split_sources(pair[0], corpus.num_sources)


def _problem(folder: Path, fingerprint: str) -> str | None:
    """Why a cache folder cannot be used, or None."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        if meta["fingerprint"] != fingerprint:
            return "it is of other data or settings"
        for name, expected in meta["sums"].items():
            if sha256_of(folder / name) != expected:
                return f"{name} is not what was written"
        if len(EncodedSplit(folder / "train")) != meta["pairs"] or not all(
            isinstance(count, int) for count in meta["filtered"].values()
        ):
            return "meta.json is not what was written"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return str(error)
    return None


def _load(
    folder: CacheFolder,
    corpus: Corpus,
    files: Mapping[str, str],
    tokenizers: tuple[Tokenizer, Tokenizer],
    shared: bool,
    fingerprint: str,
) -> PreparedData:
    source_tokenizer, target_tokenizer = tokenizers
    target_tokenizer.load(folder.path, "target")
    target_vocabulary = source_vocabulary = Vocabulary.load(folder.path / "target.vocabulary.txt")
    if not shared:
        source_tokenizer.load(folder.path, "source")
        source_vocabulary = Vocabulary.load(folder.path / "source.vocabulary.txt")
    meta = json.loads((folder.path / "meta.json").read_text(encoding="utf-8"))
    filtered = meta["filtered"]
    log.info("train: %d pairs kept, %d left out (%s)", meta["pairs"], sum(filtered.values()), _reasons(filtered))

    def split(name: str) -> EncodedSplit:
        place = CacheFolder(folder.path, name)
        try:
            return EncodedSplit(place.path)
        except DamagedError:
            with place.locked():
                return _encoded(place, corpus, files, name, tokenizers, (source_vocabulary, target_vocabulary))

    return PreparedData(
        source_tokenizer=source_tokenizer,
        target_tokenizer=target_tokenizer,
        source_vocabulary=source_vocabulary,
        target_vocabulary=target_vocabulary,
        splits=LazySplits(corpus.splits(), corpus.canonical, split),
        fingerprint=fingerprint,
        filtered=filtered,
        word_counts=json.loads((folder.path / "word_counts.json").read_text(encoding="utf-8")),
        folder=folder.path,
    )


def _reasons(filtered: Mapping[str, int]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in filtered.items())


def _encoded(
    place: CacheFolder,
    corpus: Corpus,
    files: Mapping[str, str],
    split: str,
    tokenizers: tuple[Tokenizer, Tokenizer],
    vocabularies: tuple[Vocabulary, Vocabulary],
) -> EncodedSplit:
    """Encodes a split into the cache, unless another process has done so meanwhile."""
    try:
        return EncodedSplit(place.path)
    except DamagedError as problem:
        if place.path.exists():
            log.warning("the cache %s is rebuilt: %s", place.path, problem)
    with place.rebuilding() as fresh:
        encode_pairs(corpus.pairs(split), tokenizers, vocabularies, fresh, corpus.num_sources)
        _check_unchanged(corpus, files)
    return EncodedSplit(place.path)
