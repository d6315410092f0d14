"""SIGINT and SIGTERM as a request that the training answers at its next optimizer step."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether somebody asked for the end.

    Attributes:
        requested: set by the first signal; a second one raises KeyboardInterrupt wherever the program stands.
    """

    def __init__(self) -> None:
        self.requested = False

    def request(self, number: int = signal.SIGINT, frame: FrameType | None = None) -> None:
        """Asks for the end; a signal handler.

        Raises:
            KeyboardInterrupt: if it was asked before.
        """
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def listen(self) -> None:
        """Takes the signals, also from who took them meanwhile."""
        for number in SIGNALS:
            signal.signal(number, self.request)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Takes the signals until the end of the block, then gives them back to whom they belonged."""
        before = {number: signal.getsignal(number) for number in SIGNALS}
        self.listen()
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
