"""The synthetic corpus, the made-up pairs, and an epoch streamed from them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from experiments.speed import loading
from experiments.speed.child import measured, settings_of
from experiments.speed.corpus import synthetic_corpus, synthetic_pairs
from experiments.speed.loading import write_pairs
from experiments.speed.product import Bench
from experiments.speed.workloads import read_plan
from s2s_lab.data.bucketing import BucketedBatches
from s2s_lab.data.encoded import EncodedSplit
from s2s_lab.data.vocabulary import EOS
from s2s_lab.faults import RunError
from tests.experiments.conftest import PAIRS


def test_the_synthetic_corpus_resembles_multi30k() -> None:
    """Its facts: 13.0 and 12.4 words a line, deviations 4.0 and 4.2; 5,917 and 7,855 words that come twice or more."""
    sources, targets = synthetic_pairs(29_000, np.random.default_rng(5))
    for sentences, mean, vocabulary in ((sources, 13.0, 5_917), (targets, 12.4, 7_855)):
        lengths = [len(sentence) for sentence in sentences]
        counts = sorted(Counter(word for sentence in sentences for word in sentence).values(), reverse=True)
        assert np.mean(lengths) == pytest.approx(mean, rel=0.03)
        assert np.std(lengths) == pytest.approx(4.1, rel=0.1)
        assert min(lengths) >= 1 and max(lengths) <= 44
        assert sum(count > 1 for count in counts) == pytest.approx(vocabulary, rel=0.05)
        slope = np.polyfit(np.log([10, 100, 1000]), np.log([counts[rank] for rank in (10, 100, 1000)]), 1)[0]
        assert -1.6 < slope < -0.9  # Zipf


def test_the_translation_is_a_function_of_the_source_and_ends_as_it_does() -> None:
    sources, targets = synthetic_pairs(3_000, np.random.default_rng(0))
    again = synthetic_pairs(3_000, np.random.default_rng(0))
    assert (sources, targets) == again
    assert {sentence[-1] for sentence in sources} == {"s0"} and {sentence[-1] for sentence in targets} == {"t0"}
    translations: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for source, target in zip(sources, targets, strict=True):
        translations.setdefault(tuple(source), set()).add(tuple(target))
    assert all(len(found) == 1 for found in translations.values())


def test_a_seed_gives_one_corpus_and_another_seed_another(tmp_path: Path) -> None:
    texts = [
        synthetic_corpus(tmp_path / place, seed, PAIRS).files["train"]["source"].read_text()
        for place, seed in (("a", 1), ("b", 1), ("a", 2))
    ]
    assert texts[0] == texts[1] != texts[2]
    assert [len(texts[0].splitlines()), len(texts[2].splitlines())] == [60, 60]


def test_paths_with_any_characters_reach_the_product(tmp_path: Path) -> None:
    corpus = synthetic_corpus(tmp_path / "it's, [a] folder = {x}", 1, PAIRS)
    bench = Bench(plan=read_plan(), corpus=corpus, scratch=tmp_path / "o'ut", threads=None)
    settings = settings_of(bench.words(bench.plan.workloads["M1"]))
    assert settings["data"]["train"]["source"] == str(corpus.files["train"]["source"])
    assert settings["paths"]["outputs"] == str(tmp_path / "o'ut")


def test_made_up_pairs_are_an_encoded_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "CHUNK", 100)
    write_pairs(tmp_path / "made", 250, seed=1)
    split = EncodedSplit(tmp_path / "made")
    assert len(split) == 250
    for side, lengths in (("source", split.source_lengths), ("target", split.target_lengths)):
        ids, ends = np.asarray(split.ids[side]), np.asarray(split.offsets[side])
        assert (np.flatnonzero(ids == EOS) == ends[1:] - 1).all()
        assert ids.max() < loading.VOCABULARY
        assert 11.0 < lengths.mean() - 1 < 15.0


def test_a_streamed_epoch_counts_every_pair_once_and_tells_the_samplers_fill(tmp_path: Path) -> None:
    write_pairs(tmp_path / "made", 1000, seed=2)
    split = EncodedSplit(tmp_path / "made")
    order = BucketedBatches(
        source_lengths=split.source_lengths, target_lengths=split.target_lengths, max_sentences=64, shuffle=True, seed=1
    )
    facts = measured("stream", {"folder": str(tmp_path / "made"), "max_sentences": 64})
    assert facts["pairs"] == 1000 and facts["batches"] == len(order)
    assert facts["fill"] == pytest.approx(order.fill(), abs=1e-4)
    assert facts["peak_memory_mb"] >= facts["peak_own_memory_mb"] > 10


def test_a_failed_measurement_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"stream failed: .*nowhere"):
        measured("stream", {"folder": str(tmp_path / "nowhere"), "max_sentences": 64})
