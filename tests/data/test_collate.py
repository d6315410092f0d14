"""Laws of padded batches."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from s2s_lab.data.bucketing import BucketedBatches, Rows
from s2s_lab.data.collate import Collator, collate
from s2s_lab.data.encoded import EncodedSplit, SplitWriter
from s2s_lab.data.vocabulary import PAD


@pytest.fixture
def split(tmp_path: Path) -> EncodedSplit:
    noise = np.random.default_rng(0)
    writer = SplitWriter(tmp_path, "uint16")
    for _ in range(200):
        writer.add(*(noise.integers(4, 900, noise.integers(0, 12)).tolist() for _ in range(2)))
    writer.close()
    return EncodedSplit(tmp_path)


def test_gathering_from_the_memory_map_equals_stacking_sentence_by_sentence(split: EncodedSplit) -> None:
    rows = [17, 3, 199, 0, 3]
    gathered = Collator(split)[rows]
    stacked = collate([split.source(row) for row in rows], [split.target(row) for row in rows], rows)
    assert torch.equal(gathered.sources[0][0], stacked.sources[0][0])
    assert torch.equal(gathered.sources[0][1], stacked.sources[0][1])
    assert torch.equal(gathered.targets, stacked.targets)
    assert torch.equal(gathered.target_lengths, stacked.target_lengths)
    assert gathered.index.tolist() == rows
    assert (gathered.global_rows, gathered.global_tokens) == (stacked.global_rows, stacked.global_tokens)


def test_rows_hold_their_sentence_and_then_padding_of_the_longest(split: EncodedSplit) -> None:
    batch = Collator(split)[np.arange(50)]
    ids, lengths = batch.sources[0]
    assert ids.dtype == lengths.dtype == batch.index.dtype == torch.int64
    assert ids.shape == (50, int(split.source_lengths[:50].max()))
    for row in range(50):
        assert ids[row, : lengths[row]].tolist() == split.source(row).tolist()
        assert bool((ids[row, lengths[row] :] == PAD).all())


def test_a_ranks_batch_carries_the_size_of_the_global_one(split: EncodedSplit) -> None:
    batch = Collator(split)[Rows(np.asarray([4, 8]), 6, 77, 88, 99)]
    assert (len(batch.index), batch.global_rows, batch.global_tokens) == (2, 6, 77)
    assert (batch.global_source_tokens, batch.step_tokens, batch.placeholder) == (88, 99, False)


def test_a_rank_without_a_sentence_gets_a_placeholder_without_a_target(split: EncodedSplit) -> None:
    batch = Collator(split)[Rows(np.zeros(0, np.int64), 1, 7, 8, 9)]
    assert batch.placeholder and batch.to("cpu").placeholder
    assert batch.index.tolist() == [-1]
    assert not batch.mask.any()
    assert (batch.global_rows, batch.global_tokens, batch.step_tokens) == (1, 7, 9)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_gives_every_batch_of_the_sampler(split: EncodedSplit, workers: int) -> None:
    batches = BucketedBatches(
        source_lengths=split.source_lengths, target_lengths=split.target_lengths, max_sentences=32, shuffle=True, seed=0
    )
    loader = DataLoader(Collator(split), sampler=batches, batch_size=None, num_workers=workers)
    found = sorted(index for batch in loader for index in batch.index.tolist())
    assert found == list(range(200))
