"""Nested tuples: rows are selected, repeated and counted whatever the nest."""

from typing import NamedTuple

import pytest
import torch

from s2s_lab.nested import batch_size, leaves, repeat_rows, select_rows


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
    with pytest.raises(TypeError, match=type(leaf).__name__):
        list(leaves((torch.zeros(1), leaf)))


def test_leaves_come_first_to_last() -> None:
    assert [id(leaf) for leaf in leaves(NEST)] == [id(NEST[1][0]), *map(id, NEST[1][1])]
