"""Ctrl-C and SIGTERM while a sweep runs: they interrupt it where it waits, not while it writes down what ended."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Interrupts:
    """Raises KeyboardInterrupt for SIGINT and SIGTERM; a context manager, of the main thread.

    A SIGINT that is ignored, as in a shell's background, stays ignored.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._came = False
        self._context = contextlib.ExitStack()

    def __enter__(self) -> "Interrupts":
        for number in (signal.SIGINT, signal.SIGTERM):
            if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
                self._context.callback(signal.signal, number, signal.signal(number, self._interrupt))
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    @contextlib.contextmanager
    def held_back(self) -> Iterator[None]:
        """Lets what is within come to its end first; an interrupt that came meanwhile is raised then.

        Other threads than the main one are never interrupted.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if self._came and not self._depth:
            self._came = False
            raise KeyboardInterrupt

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if not self._depth:
            raise KeyboardInterrupt
        self._came = True
