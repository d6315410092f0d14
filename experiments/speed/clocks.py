"""Clocks on the parts of a training step, each stopped while an inner part runs."""

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import lightning.pytorch as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from s2s_lab.faults import RunError
from s2s_lab.training.module import Seq2SeqModule

P = ParamSpec("P")
R = TypeVar("R")
DATA, ENCODER, DECODER, OUTPUT = "data", "encoder", "step loop", "output and loss"
BACKWARD, UPDATE, TRAINER = "backward", "clipping and optimizer", "trainer"
PARTS = (DATA, ENCODER, DECODER, OUTPUT, BACKWARD, UPDATE, TRAINER)


class Clocks:
    """Seconds of each part, exclusive: the time of a part that runs inside another counts for the inner one alone.

    Args:
        now: the time in seconds; waits for a GPU's work where there is one.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._running = [TRAINER]
        self._since = now()
        self._seconds: dict[str, float] = defaultdict(float)

    def enter(self, part: str) -> None:
        """A part begins; the one around it stands still."""
        self._turn()
        self._running.append(part)

    def leave(self) -> None:
        """The part that began last ends."""
        self._turn()
        self._running.pop()

    def reset(self) -> None:
        """Forgets all seconds so far."""
        self._turn()
        self._seconds.clear()

    def read(self) -> dict[str, float]:
        """Seconds of each part up to now."""
        self._turn()
        return dict(self._seconds)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Counts what happens inside for a part."""
        self.enter(name)
        try:
            yield
        finally:
            self.leave()

    def timed(self, name: str, function: Callable[P, R]) -> Callable[P, R]:
        """The same function, its time counted for a part."""

        @functools.wraps(function)
        def counted(*args: P.args, **kwargs: P.kwargs) -> R:
            with self.part(name):
                return function(*args, **kwargs)

        return counted

    def watch(self, name: str, module: nn.Module) -> None:
        """Counts the forward pass of a module for a part."""
        module.register_forward_pre_hook(lambda *_: self.enter(name))
        module.register_forward_hook(lambda *_: self.leave(), always_call=True)

    def _turn(self) -> None:
        now = self._now()
        self._seconds[self._running[-1]] += now - self._since
        self._since = now


class Stopwatch(pl.Callback):
    """Puts clocks on the parts of a training and interrupts it when enough was measured.

    The clocks sit where the parts meet: on the loader, on `Seq2Seq.start` (source embedding, encoder, attention keys,
    bridge) and the target embedding, on the decoder, on the objective with the output's loss, on backward, on clipping
    and the optimizer's step. All else is the trainer's own.

    Args:
        warm_up: optimizer steps that are left out.
        seconds: measured after that.
    """

    def __init__(self, *, warm_up: int, seconds: float) -> None:
        self.warm_up, self.seconds = warm_up, seconds
        self.clocks = Clocks(now)
        self.began = 0.0
        self.steps = 0
        self.tokens = 0
        self.measured: dict[str, float] = {}

    def attach(self, module: Seq2SeqModule) -> None:
        """Puts the clocks on the parts of this training."""
        network: Any = module.network
        timed = self.clocks.timed
        network.start = timed(ENCODER, network.start)
        for embedding in {network.source_embedding, network.target_embedding}:
            self.clocks.watch(ENCODER, embedding)
        self.clocks.watch(DECODER, network.decoder)
        self.clocks.watch(OUTPUT, module.objective)
        network.output.loss = timed(OUTPUT, network.output.loss)
        hooks: Any = module
        hooks.backward = timed(BACKWARD, module.backward)
        hooks.configure_gradient_clipping = timed(UPDATE, module.configure_gradient_clipping)
        hooks.optimizer_step = timed(UPDATE, module.optimizer_step)
        hooks.training_step = timed(TRAINER, module.training_step)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Counts a step; see the class.

        Raises:
            KeyboardInterrupt: when enough was measured; the product ends as at any interrupt.
        """
        assert isinstance(pl_module, Seq2SeqModule)
        if trainer.global_step <= self.warm_up:
            self.clocks.reset()
            self.began, self.steps, self.tokens = now(), 0, pl_module.throughput.tokens
            return
        self.steps += 1
        if now() - self.began >= self.seconds:
            self.measured = self.clocks.read()
            self.tokens = pl_module.throughput.tokens - self.tokens
            raise KeyboardInterrupt

    def shares(self) -> dict[str, Any]:
        """What was measured: steps, tokens, seconds of a step, and each part's share of them.

        Raises:
            RunError: if a part was never entered, for then the clocks do not fit the network.
        """
        total = sum(self.measured.values())
        silent = [part for part in PARTS if not self.measured.get(part)]
        if silent or not self.steps:
            raise RunError(f"no time was counted for {', '.join(silent) or 'any step'}")
        return {
            "steps": self.steps,
            "step_ms": 1000.0 * total / self.steps,
            "tokens_per_s": self.tokens / total,
            "shares": {part: self.measured[part] / total for part in PARTS},
        }


@contextmanager
def attached(stopwatch: Stopwatch) -> Iterator[None]:
    """While it lasts, every training that starts gets the stopwatch's clocks.

    The product builds its trainer by itself, so they are attached where it is told to fit.
    """
    fit, iterate = pl.Trainer.fit, DataLoader.__iter__

    def timed_fit(trainer: pl.Trainer, model: Seq2SeqModule, **arguments: Any) -> None:
        stopwatch.attach(model)
        trainer.callbacks.append(stopwatch)  # type: ignore[attr-defined]
        fit(trainer, model, **arguments)

    def timed_iterate(loader: DataLoader[Any]) -> Iterator[Any]:
        return _timed_batches(iterate(loader), stopwatch.clocks)

    pl.Trainer.fit, DataLoader.__iter__ = timed_fit, timed_iterate  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        pl.Trainer.fit, DataLoader.__iter__ = fit, iterate  # type: ignore[method-assign]


def now() -> float:
    """The time in seconds, after a GPU's work at hand is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def _timed_batches(batches: Iterator[Any], clocks: Clocks) -> Iterator[Any]:
    end = object()
    while True:
        with clocks.part(DATA):
            batch = next(batches, end)
        if batch is end:
            return
        yield batch
