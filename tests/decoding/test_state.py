"""Nested tuples: rows are selected, repeated and counted whatever the nest."""

from typing import NamedTuple

import pytest
import torch

from s2s_lab.decoding.state import batch_size, leaving_pays, look_due, repeat_rows, select_rows, staying


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


def test_finished_sentences_leave_when_they_are_a_sixteenth() -> None:
    assert [n for n in range(33) if leaving_pays(n, 32)] == list(range(2, 33))
    assert leaving_pays(1, 16) and not leaving_pays(0, 16) and not leaving_pays(1, 17)


@pytest.mark.parametrize("num_done", range(18))
def test_those_who_are_not_done_stay_when_leaving_pays(num_done: int) -> None:
    done = torch.arange(17) < num_done
    kept = staying(done)
    if not leaving_pays(num_done, 17):
        assert kept is None
    else:
        assert kept is not None and kept.tolist() == list(range(num_done, 17))


def test_the_host_looks_at_every_step_only_where_looking_is_free() -> None:
    assert all(look_due(step, False) for step in range(8))
    assert [step for step in range(9) if look_due(step, True)] == [3, 7]
