"""Counts the tokens of a training and their rate, validations left out."""

import time


class Throughput:
    """Tokens seen and tokens per second.

    A token is a token of a source or of a target, or a target's end symbol; padding never counts.

    Attributes:
        tokens: all tokens seen.
        seconds: time spent training, validations left out.
    """

    def __init__(self) -> None:
        self.tokens = 0
        self.seconds = 0.0
        self._last: float | None = None
        self._window_tokens = 0
        self._window_seconds = 0.0

    def add(self, tokens: int) -> None:
        """Counts the tokens of one batch; the time since the batch before counts as training."""
        now = time.perf_counter()
        if self._last is not None:
            self.seconds += now - self._last
            self._window_seconds += now - self._last
        self._last = now
        self.tokens += tokens
        self._window_tokens += tokens

    def pause(self) -> None:
        """Leaves out the time from now to the next batch."""
        self._last = None

    def rate(self) -> float:
        """Tokens per second since the last call."""
        rate = self._window_tokens / self._window_seconds if self._window_seconds else 0.0
        self._window_tokens, self._window_seconds = 0, 0.0
        return rate
