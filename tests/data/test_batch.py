"""Laws of a batch."""

import numpy as np
import torch

from s2s_lab.data.batch import Batch
from s2s_lab.data.collate import collate
from s2s_lab.data.vocabulary import BOS, EOS, PAD


def batch() -> Batch:
    sources = [np.asarray([5, 6, EOS]), np.asarray([7, EOS])]
    targets = [np.asarray([8, EOS]), np.asarray([9, 10, 11, EOS])]
    return collate(sources, targets, [3, 1])


def test_inputs_are_bos_and_the_targets_without_their_last_position() -> None:
    assert batch().targets.tolist() == [[8, EOS, PAD, PAD], [9, 10, 11, EOS]]
    assert batch().inputs[:, 0].tolist() == [BOS, BOS]
    assert torch.equal(batch().inputs[:, 1:], batch().targets[:, :-1])


def test_the_mask_is_true_where_targets_are_real() -> None:
    assert torch.equal(batch().mask, batch().targets != PAD)
    assert torch.equal(batch().mask.sum(1), batch().target_lengths)


def test_moving_keeps_everything() -> None:
    moved = batch().to(torch.device("cpu"))
    assert (moved.global_rows, moved.global_tokens) == (2, 6)
    assert moved.index.tolist() == [3, 1]
    assert torch.equal(moved.sources[0][0], batch().sources[0][0])
    assert batch().to("meta").sources[0][1].device.type == "meta"


def test_a_batch_without_targets_has_empty_inputs_and_mask() -> None:
    alone = collate([np.asarray([5, EOS])], None, [0])
    assert alone.targets.shape == alone.inputs.shape == alone.mask.shape == (1, 0)
