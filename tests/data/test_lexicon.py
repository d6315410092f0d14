"""The lexicon is IBM model 1's, as a plain transcription of its equations gives it."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from s2s_lab.data import lexicon as module
from s2s_lab.data.encoded import EncodedSplit, SplitWriter
from s2s_lab.data.lexicon import LexiconSettings, learn_lexicon, translation_probabilities
from s2s_lab.data.vocabulary import EOS, UNK

A, B, C, D = 4, 5, 6, 7
PAIRS = [([A, B], [B, A]), ([A], [A]), ([A, C, A], [C, C, D]), ([C, UNK], [D, UNK]), ([B, D], []), ([D, B, A], [B])]
SIZE = 9  # of both vocabularies; id 8 occurs nowhere


def encoded(folder: Path, pairs: list[tuple[list[int], list[int]]]) -> EncodedSplit:
    folder.mkdir()
    writer = SplitWriter(folder, "uint16")
    for source, target in pairs:
        writer.add(source, target)
    writer.close()
    return EncodedSplit(folder)


def model_1(pairs: list[tuple[list[int], list[int]]], iterations: int) -> dict[tuple[int, int], float]:
    """Brown et al. 1993, equations 17 and 18, word by word, the empty word being EOS."""
    together = {(source, target) for sources, targets in pairs for source in (*sources, EOS) for target in targets}
    found = dict.fromkeys(together, 1.0 / SIZE)
    for _ in range(iterations):
        counts, totals = defaultdict(float), defaultdict(float)
        for sources, targets in pairs:
            for target in targets:
                whole = sum(found[source, target] for source in (*sources, EOS))
                for source in (*sources, EOS):
                    share = found[source, target] / whole
                    counts[source, target] += share
                    totals[source] += share
        found = {(source, target): counts[source, target] / totals[source] for source, target in found}
    return found


@pytest.mark.parametrize("iterations", [1, 4])
@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_probabilities_are_those_of_the_plain_equations(
    tmp_path: Path, iterations: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    found = translation_probabilities(
        encoded(tmp_path / "train", PAIRS), target_size=SIZE, settings=LexiconSettings(iterations=iterations)
    )
    expected = model_1(PAIRS, iterations)
    assert list(zip(found.sources.tolist(), found.targets.tolist(), strict=True)) == sorted(expected)
    assert found.values.tolist() == pytest.approx([expected[pair] for pair in sorted(expected)], rel=1e-12)


def test_a_lexicon_holds_the_most_probable_ordinary_ids_of_each_source_id(tmp_path: Path) -> None:
    settings = LexiconSettings(translations=2)
    found = learn_lexicon(encoded(tmp_path / "train", PAIRS), source_size=SIZE, target_size=SIZE, settings=settings)
    probabilities = model_1(PAIRS, settings.iterations)
    for source in range(SIZE):
        targets = [target for one, target in probabilities if one == source and target >= A]
        targets.sort(key=lambda target: (-probabilities[source, target], target))
        targets = targets[:2] if source >= A else []
        assert found.translations[source].tolist() == targets + [-1] * (2 - len(targets))
    assert found.ranked.tolist() == [A, B, C, D, 8]  # twice each, and not at all


def test_equally_frequent_ids_go_by_id_and_others_by_frequency(tmp_path: Path) -> None:
    pairs = [([A], [D, D, C]), ([A], [C, B])]
    found = learn_lexicon(encoded(tmp_path / "train", pairs), source_size=5, target_size=SIZE)
    assert found.ranked.tolist() == [C, D, B, A, 8]


@pytest.mark.parametrize(("pairs", "links", "expected"), [(2, 10**9, 2), (10, 10, 2), (10, 0, 1), (10, 10**9, 6)])
def test_only_so_many_evenly_spaced_pairs_are_learnt_from(
    tmp_path: Path, pairs: int, links: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All pairs together have 30 links."""
    monkeypatch.setattr(module, "LINKS", links)
    split = encoded(tmp_path / "train", PAIRS)
    found = translation_probabilities(split, target_size=SIZE, settings=LexiconSettings(pairs=pairs))
    chosen = [PAIRS[index * len(PAIRS) // expected] for index in range(expected)]
    together = {(source, target) for sources, targets in chosen for source in (*sources, EOS) for target in targets}
    assert set(zip(found.sources.tolist(), found.targets.tolist(), strict=True)) == together


def test_pairs_without_words_teach_nothing(tmp_path: Path) -> None:
    found = learn_lexicon(encoded(tmp_path / "train", [([A], [])]), source_size=6, target_size=6)
    assert (found.translations == -1).all() and sorted(found.ranked) == [A, B]
    assert found.translations.dtype == found.ranked.dtype == np.int32
