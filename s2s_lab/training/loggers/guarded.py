"""A guard around any tracker: one that fails or hangs is switched off, and the training goes on."""

import threading
import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from lightning.pytorch.loggers.logger import Logger

from s2s_lab.training.loggers.base import CanBeSentLater, Ends, KeepsModels, ShowsExamples, warn
from s2s_lab.training.sample import Example

START, CALL, END = 60.0, 30.0, 180.0  # the longest waits, in seconds: for its start, for a call, for its end
MOST_WAITED, SHARE_WAITED = 60.0, 0.1  # all waits together: both more seconds and a larger share of the time


class GuardedTracker(Logger):
    """Calls a tracker in a thread of its own, and waits for each call, but not for ever.

    At the first call that raises or takes too long, or when all calls together have slowed the training down, the
    tracker is switched off: one warning names it and says what becomes of its files.

    Args:
        name: of the tracker, for the warning.
        make: builds it.
        start: longest wait for its start, in seconds.
        call: longest wait for a call.
        end: longest wait for its end.
    """

    def __init__(
        self, name: str, make: Callable[[], Logger], *, start: float = START, call: float = CALL, end: float = END
    ) -> None:
        super().__init__()
        self._name = name
        self._seconds = {"start": start, "call": call, "end": end}
        self._began, self._waited = time.monotonic(), 0.0
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._tracker: Logger | None = None
        self.off = False
        threading.Thread(target=self._serve, name=f"tracker-{name}", daemon=True).start()
        self._tracker = self._guarded("start", make)

    @property
    def name(self) -> str:
        """The tracker's name in the configuration."""
        return self._name

    @property
    def version(self) -> str:
        """Not used; the run folder tells runs apart."""
        return ""

    @property
    def experiment(self) -> Any:
        """The tracker's own experiment, started at the first call; None once it is off."""
        return self._call("start", lambda tracker: tracker.experiment)  # type: ignore[attr-defined]

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Hands values on."""
        self._call("call", lambda tracker: tracker.log_metrics(dict(metrics), step))

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Hands hyper-parameters on."""
        self._call("call", lambda tracker: tracker.log_hyperparams(params, *args, **kwargs))

    def save(self) -> None:
        """Hands the wish to write on."""
        self._call("call", lambda tracker: tracker.save())

    def finalize(self, status: str) -> None:
        """Hands the end of a fit on."""
        self._call("end", lambda tracker: tracker.finalize(status))

    def show_examples(self, examples: Sequence[Example], *, step: int) -> None:
        """Hands the examples of a validation on, to a tracker that shows them."""
        if isinstance(self._tracker, ShowsExamples):
            self._call("call", lambda tracker: tracker.show_examples(examples, step=step))  # type: ignore[attr-defined]

    def keep_model(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Hands the final model on, to a tracker that keeps it."""
        if isinstance(self._tracker, KeepsModels):
            self._call("end", lambda tracker: tracker.keep_model(folder, facts))  # type: ignore[attr-defined]

    def end(self, scores: Mapping[str, float]) -> None:
        """Hands the scores of the evaluations on, to a tracker that waits for them."""
        if isinstance(self._tracker, Ends):
            self._call("end", lambda tracker: tracker.end(scores))  # type: ignore[attr-defined]

    def _call(self, kind: str, use: Callable[[Logger], Any]) -> Any:
        tracker = self._tracker
        return None if tracker is None else self._guarded(kind, lambda: use(tracker))

    def _guarded(self, kind: str, action: Callable[[], Any]) -> Any:
        """The result of an action, or None if it failed or did not end in time, after which nothing is called."""
        if self.off:
            return None
        results: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

        def act() -> None:
            try:
                results.put((action(), None))
            except BaseException as error:  # also a tracker's own interrupt or exit
                results.put((None, error))

        began = time.monotonic()
        self._calls.put(act)
        try:
            result, fault = results.get(timeout=self._seconds[kind])
        except Empty:
            self._switch_off(f"it did not answer within {self._seconds[kind]:g} s")
            return None
        now = time.monotonic()
        self._waited += now - began if kind == "call" else 0.0
        if fault is not None:
            self._switch_off(f"{type(fault).__name__}: {' '.join(str(fault).split())[:200]}")
        elif self._waited > max(MOST_WAITED, SHARE_WAITED * (now - self._began)):
            self._switch_off(f"the training has waited {self._waited:.0f} s for it")
        return result

    def _switch_off(self, reason: str) -> None:
        self.off = True
        self._calls.put(None)
        later = f"; {self._tracker.later}" if isinstance(self._tracker, CanBeSentLater) else ""
        warn(f"logger.{self._name} is switched off ({reason}) and the training goes on; metrics.csv has all{later}")

    def _serve(self) -> None:
        while (action := self._calls.get()) is not None:
            action()
