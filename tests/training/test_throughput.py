"""Tokens and their rate: time and tokens are of the same batches, and pauses are left out."""

import pytest

from s2s_lab.training import throughput
from s2s_lab.training.throughput import Throughput


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock whose time is its only entry."""
    now = [100.0]
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: now[0])
    return now


def batch(counter: Throughput, clock: list[float], tokens: int, seconds: float) -> None:
    counter.start()
    counter.count(tokens)
    clock[0] += seconds
    counter.mark()


def test_the_first_batch_counts_with_its_time(clock: list[float]) -> None:
    counter = Throughput()
    batch(counter, clock, 30, 2.0)
    assert (counter.tokens, counter.seconds, counter.mean_rate(), counter.rate()) == (30, 2.0, 15.0, 15.0)


def test_a_constant_speed_is_found_whatever_is_between_the_batches_of_two_pauses(clock: list[float]) -> None:
    counter = Throughput()
    for _ in range(3):
        for tokens in (10, 40, 25):
            batch(counter, clock, tokens, tokens / 5)
        counter.pause()
        clock[0] += 1000.0
    assert counter.tokens == 3 * 75
    assert counter.mean_rate() == pytest.approx(5.0)


def test_tokens_of_a_batch_that_was_never_done_are_in_no_rate(clock: list[float]) -> None:
    counter = Throughput()
    batch(counter, clock, 10, 1.0)
    counter.count(1_000_000)
    assert counter.mean_rate() == 10.0


def test_tokens_from_before_a_restart_are_in_the_sum_and_in_no_rate(clock: list[float]) -> None:
    counter = Throughput()
    counter.tokens = 1_000_000
    batch(counter, clock, 10, 1.0)
    assert (counter.tokens, counter.mean_rate()) == (1_000_010, 10.0)
