"""Lanes give what one after the other gives, share torch's threads out, and end when nobody wants their results."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from s2s_lab.inference.lanes import MOST_LANES, Cancellation, lanes_on, side_by_side

CPU = torch.device("cpu")
SECONDS = 20.0  # after which something that should have happened has not


@pytest.fixture
def threads() -> Iterator[int]:
    """Torch may use six threads, whatever the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(6)
    yield 6
    torch.set_num_threads(before)


def nothing(previous_ids: Any, state: Any, memory: Any) -> Any:
    return None


def waiting(cancellation: Cancellation) -> None:
    """A search that never ends by itself."""
    step, began = cancellation.guard(nothing), time.monotonic()
    while time.monotonic() - began < SECONDS:
        step(torch.zeros(1), None, None)
        time.sleep(0.001)
    pytest.fail("nobody cancelled it")


@pytest.mark.parametrize("lanes", [1, 2, 3, 9])
@pytest.mark.parametrize("items", [0, 1, 2, 40])
def test_what_is_made_comes_in_the_order_of_the_items(lanes: int, items: int, threads: int) -> None:
    def work(item: int, cancellation: Cancellation) -> int:
        time.sleep((item * 7 % 5) / 1000)
        return item * item

    assert list(side_by_side(work, iter(range(items)), lanes)) == [item * item for item in range(items)]
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(("items", "lanes", "each"), [(1, 3, 6), (2, 3, 3), (3, 3, 2), (9, 3, 2), (9, 4, 1), (9, 1, 6)])
def test_torchs_threads_are_shared_out_among_the_lanes_that_are_needed(
    items: int, lanes: int, each: int, threads: int
) -> None:
    together = threading.Barrier(min(items, lanes))  # passed only if so many are worked on at once

    def work(item: int, cancellation: Cancellation) -> int:
        if item < min(items, lanes):
            together.wait(SECONDS)
        return torch.get_num_threads()

    assert set(side_by_side(work, range(items), lanes)) == {each}
    assert torch.get_num_threads() == threads


def test_items_are_taken_as_their_turn_comes(threads: int) -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            yield taken
            taken += 1

    found = side_by_side(lambda item, cancellation: item, endless(), 2)
    assert [next(found) for _ in range(5)] == [0, 1, 2, 3, 4]
    found.close()  # type: ignore[attr-defined]
    assert taken < 20


def test_a_failure_is_the_callers_and_ends_what_is_under_way(threads: int) -> None:
    begun = threading.Event()

    def work(item: int, cancellation: Cancellation) -> None:
        if item == 0:
            begun.wait(SECONDS)
            raise ArithmeticError("of the first")
        begun.set()
        waiting(cancellation)

    began = time.monotonic()
    with pytest.raises(ArithmeticError, match="of the first"):
        list(side_by_side(work, range(3), 2))
    assert time.monotonic() - began < SECONDS / 2
    assert torch.get_num_threads() == threads
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane")]


def test_work_ends_when_its_consumer_does(threads: int) -> None:
    found = side_by_side(lambda item, cancellation: waiting(cancellation) if item else item, range(3), 2)
    assert next(found) == 0
    began = time.monotonic()
    found.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < SECONDS / 2


def test_a_lane_has_a_thread_and_an_accelerator_one_lane(threads: int) -> None:
    assert lanes_on(CPU, None) == MOST_LANES
    assert lanes_on(CPU, 1) == 1 and lanes_on(CPU, 5) == 5 and lanes_on(CPU, 100) == threads
    torch.set_num_threads(1)
    assert lanes_on(CPU, None) == lanes_on(CPU, 8) == 1
    torch.set_num_threads(threads)
    assert lanes_on(torch.device("cuda"), 4) == lanes_on(torch.device("meta"), None) == 1
