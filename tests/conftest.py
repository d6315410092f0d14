"""Settings shared by all tests: one thread, fixed seeds, and Ctrl-C heard by every process that a test starts."""

import signal

import pytest
import torch


def pytest_configure() -> None:
    """A shell lets its background jobs ignore SIGINT, and so would all processes that the tests interrupt."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _one_thread_and_fixed_seed() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
