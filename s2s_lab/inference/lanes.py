"""Work on batches side by side, each on its share of a processor's threads."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import Any, TypeVar

import torch

from s2s_lab.decoding.task import StepFunction

MOST_LANES = 4
"""Lanes where nobody says how many: between two operations Python runs one of them at a time."""

AHEAD = 4
"""Items that wait for each lane: few enough to be kept, enough for lanes whose items take longer than others'."""

Item = TypeVar("Item")
Made = TypeVar("Made")


class _CancelledError(Exception):
    """What ends work of which nobody wants the result any more."""


class Cancellation:
    """Tells all lanes that nobody wants what they make any more."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Ends all work at its next step."""
        self._cancelled.set()

    def guard(self, step: StepFunction) -> StepFunction:
        """Gives a step function that ends a search whose result is not wanted any more."""

        def guarded(previous_ids: torch.Tensor, state: Any, memory: Any) -> Any:
            if self._cancelled.is_set():
                raise _CancelledError
            return step(previous_ids, state, memory)

        return guarded


def lanes_on(device: torch.device, asked: int | None) -> int:
    """Gives how many batches are decoded side by side on a device.

    Small operations leave most of a processor's threads waiting for each other; batches of their own keep them busy.

    Args:
        device: an accelerator takes one batch after the other.
        asked: the most of them; None for `MOST_LANES`. Each has at least one of torch's threads.
    """
    return min(asked or MOST_LANES, torch.get_num_threads()) if device.type == "cpu" else 1


def side_by_side(work: Callable[[Item, Cancellation], Made], items: Iterable[Item], lanes: int) -> Iterator[Made]:
    """Yields what is made of each item, in their order.

    Torch's threads are shared out evenly among as many lanes as there are items for; all of them do the work of a
    single item. Where the consumer stops, or an item fails, what is under way ends at its next step.

    Args:
        work: makes something of an item; with several lanes it runs in as many threads, none of them this one.
        items: are taken a few at a time, as their turn comes.
        lanes: the most that are worked on at once.
    """
    remaining = iter(items)
    first = list(islice(remaining, lanes))
    cancellation, lanes = Cancellation(), len(first)
    if lanes <= 1:
        for item in chain(first, remaining):
            yield work(item, cancellation)
        return
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(
        lanes, thread_name_prefix="lane", initializer=torch.set_num_threads, initargs=(max(1, threads // lanes),)
    )
    waiting: deque[Future[Made]] = deque()
    try:
        for item in chain(first, remaining):
            waiting.append(pool.submit(work, item, cancellation))
            if len(waiting) >= AHEAD * lanes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        cancellation.cancel()
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
