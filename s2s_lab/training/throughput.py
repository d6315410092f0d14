"""Counts the tokens of a training and their rate, validations left out."""

import time


class Throughput:
    """Tokens seen and tokens per second, over all ranks.

    A token is a token of a source or of a target, or a target's end symbol; padding never counts. The clock runs from
    the start of the first batch to the end of the last one before a pause, so that tokens and seconds are of the same
    batches.

    Attributes:
        tokens: all tokens seen.
        seconds: time spent training, validations left out.
    """

    def __init__(self) -> None:
        self.tokens = 0
        self.seconds = 0.0
        self._timed_tokens, self._untimed_tokens = 0, 0
        self._last: float | None = None
        self._window_tokens, self._window_seconds = 0, 0.0

    def restore(self, tokens: int, seconds: float) -> None:
        """Goes on from what an earlier part of the training has counted."""
        self.tokens = self._timed_tokens = tokens
        self.seconds = seconds
        self._untimed_tokens = 0

    def start(self) -> None:
        """Starts the clock, unless it runs."""
        if self._last is None:
            self._last = time.perf_counter()

    def count(self, tokens: int) -> None:
        """Counts the tokens of one batch."""
        self.tokens += tokens
        self._untimed_tokens += tokens

    def mark(self) -> None:
        """The batches counted are done: the time since the last mark or the start was theirs."""
        self.start()
        assert self._last is not None
        now = time.perf_counter()
        self.seconds += now - self._last
        self._window_seconds += now - self._last
        self._last = now
        self._timed_tokens += self._untimed_tokens
        self._window_tokens += self._untimed_tokens
        self._untimed_tokens = 0

    def pause(self) -> None:
        """Leaves out the time from now to the next start."""
        self._last = None

    def rate(self) -> float:
        """Tokens per second since the last call."""
        rate = self._window_tokens / self._window_seconds if self._window_seconds else 0.0
        self._window_tokens, self._window_seconds = 0, 0.0
        return rate

    def mean_rate(self) -> float:
        """Tokens per second of all that was marked; 0 before that."""
        return self._timed_tokens / self.seconds if self.seconds else 0.0
