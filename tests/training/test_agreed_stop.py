"""An interrupt is acted upon where all ranks agree on it, whenever it comes."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import distributed

from s2s_lab.training.callbacks.agreed_stop import AgreedStop


@pytest.fixture
def callback(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AgreedStop]]:
    """One rank of two: `meeting` stands for the operation in which both tell whether they were interrupted."""
    before = signal.getsignal(signal.SIGTERM)

    def make(meeting: Callable[[torch.Tensor], None]) -> AgreedStop:
        made = AgreedStop()
        made.group = object()
        signal.signal(signal.SIGTERM, made._note)
        monkeypatch.setattr(distributed, "all_reduce", lambda shared, **_: meeting(shared))
        return made

    yield make
    signal.signal(signal.SIGTERM, before)


def test_a_signal_that_comes_while_the_ranks_meet_counts_at_their_next_meeting(
    callback: Callable[..., AgreedStop],
) -> None:
    meetings = []

    def meeting(shared: torch.Tensor) -> None:
        meetings.append(float(shared))
        if len(meetings) == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    stop = callback(meeting)
    stop._agree()
    assert meetings == [0.0] and not stop.agreed
    with pytest.raises(KeyboardInterrupt):
        stop._agree()
    assert meetings == [0.0, 1.0] and stop.agreed


def test_what_another_rank_was_told_ends_this_one(callback: Callable[..., AgreedStop]) -> None:
    stop = callback(lambda shared: shared.fill_(1.0))
    with pytest.raises(KeyboardInterrupt):
        stop._agree()
    assert stop.agreed
