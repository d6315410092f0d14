"""Sizes of a batch that sentences leave, and how often the host looks."""

import pytest
import torch

from s2s_lab.decoding.state import SIZES_AN_OCTAVE, look_due, room_for, staying


def test_a_batch_has_few_sizes_and_wastes_little_room() -> None:
    sizes = [room_for(running) for running in range(1025)]
    assert all(running <= size <= 1.25 * running for running, size in enumerate(sizes))
    assert sizes == sorted(sizes) and all(room_for(size) == size for size in sizes)
    assert sizes[:9] == list(range(9))
    for power in range(3, 10):
        assert len({size for size in sizes if 2**power < size <= 2 ** (power + 1)}) == SIZES_AN_OCTAVE


@pytest.mark.parametrize("seed", range(30))
def test_all_who_are_not_done_stay_and_so_few_of_the_others_as_the_size_takes(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    done = torch.rand(1 + seed * 3, generator=generator) < torch.rand(1, generator=generator)
    running = (~done).nonzero().squeeze(1).tolist()
    kept = staying(done)
    if room_for(len(running)) >= len(done):
        assert kept is None
    else:
        assert kept is not None and len(kept) == room_for(len(running)) < len(done)
        assert kept.tolist() == sorted(set(kept.tolist())) and set(running) <= set(kept.tolist())


def test_the_host_looks_at_every_step_only_where_looking_is_free() -> None:
    assert all(look_due(step, False) for step in range(8))
    assert [step for step in range(9) if look_due(step, True)] == [3, 7]
