"""Nested tuples: rows are selected, repeated and counted whatever the nest."""

from typing import NamedTuple

import pytest
import torch

from s2s_lab.decoding.state import (
    SIZES_AN_OCTAVE,
    batch_size,
    look_due,
    repeat_rows,
    room_for,
    select_rows,
    staying,
)


class Pair(NamedTuple):
    left: torch.Tensor
    right: torch.Tensor


NEST = ((), (torch.arange(12.0).view(4, 3), Pair(torch.arange(4), torch.arange(8).view(4, 2))))


def test_selection_reaches_every_leaf_and_keeps_the_nest() -> None:
    rows = torch.tensor([3, 0, 0])
    empty, (first, pair) = select_rows(NEST, rows)
    assert empty == () and isinstance(pair, Pair)
    for selected, leaf in zip((first, *pair), (NEST[1][0], *NEST[1][1]), strict=True):
        assert torch.equal(selected, leaf[rows])


def test_repetition_is_sentence_major() -> None:
    assert repeat_rows((torch.tensor([5, 6]),), 3)[0].tolist() == [5, 5, 5, 6, 6, 6]
    assert repeat_rows(NEST, 1) is NEST


def test_rows_are_counted_on_the_first_tensor_and_an_empty_nest_has_none() -> None:
    assert batch_size(NEST) == 4
    with pytest.raises(ValueError, match="without any tensor"):
        batch_size(((), ()))


@pytest.mark.parametrize("leaf", [3, None, [torch.zeros(1)]])
def test_a_leaf_that_is_no_tensor_is_named(leaf: object) -> None:
    with pytest.raises(TypeError, match=type(leaf).__name__):
        select_rows((torch.zeros(1), leaf), torch.tensor([0]))


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
