"""Progress of a training: a bar in a terminal, a line at each validation elsewhere."""

import sys
import time
from typing import Any

import lightning.pytorch as pl
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class TrainingProgress(pl.Callback):
    """Shows the optimizer step, tokens per second, the loss, the last validation and the time left.

    Args:
        title: what is trained, e.g. "gru seed 1".
        monitor: the logged name of the monitored metric.
        total_steps: optimizer steps of the whole training.
        every: optimizer steps between two updates of the bar.
    """

    def __init__(self, *, title: str, monitor: str, total_steps: int, every: int = 10) -> None:
        self.title, self.monitor, self.total_steps, self.every = title, monitor, total_steps, every
        self.console = Console(file=sys.stderr)
        self.bar: Progress | None = None
        self.task: Any = None
        self.began, self.first = 0.0, 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draws the empty bar."""
        self.began, self.first = time.perf_counter(), trainer.global_step
        if not trainer.is_global_zero:
            return
        if self.console.is_terminal:
            self.bar = Progress(
                TextColumn("{task.description}", markup=False, style="bold"),
                BarColumn(bar_width=8),
                TextColumn("{task.completed:.0f}/{task.total:.0f}"),
                TimeRemainingColumn(compact=True),
                TextColumn("left {task.fields[rate]}"),
                TextColumn("{task.fields[shown]}"),
                console=self.console,
                refresh_per_second=4,
            )
            self.bar.start()
            self.task = self.bar.add_task(
                self.title, total=self.total_steps, completed=trainer.global_step, shown="", rate=""
            )

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Moves the bar."""
        if self.bar is not None and trainer.global_step % self.every == 0:
            self.bar.update(self.task, completed=trainer.global_step, rate=_rate(trainer))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Shows the scores of a validation."""
        if not trainer.is_global_zero:
            return
        shown = self._shown(trainer)
        if self.bar is not None:
            self.bar.update(self.task, completed=trainer.global_step, shown=shown)
        else:
            seconds = time.perf_counter() - self.began
            left = seconds / max(1, trainer.global_step - self.first) * (self.total_steps - trainer.global_step)
            place = f"{self.title}: step {trainer.global_step}/{self.total_steps}"
            times = f"{seconds:.0f} s, about {left:.0f} s left"
            print("  ".join(filter(None, (place, shown, _rate(trainer), times))), file=sys.stderr, flush=True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leaves the full bar behind."""
        self._stop(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Gives the terminal back."""
        self._stop(trainer)

    def _stop(self, trainer: pl.Trainer) -> None:
        if self.bar is not None:
            self.bar.update(self.task, completed=trainer.global_step)
            self.bar.stop()
            self.bar = None

    def _shown(self, trainer: pl.Trainer) -> str:
        values = trainer.callback_metrics
        names = dict.fromkeys(["validation/loss", self.monitor])
        return "  ".join(
            f"{name.removeprefix('validation/')} {float(values[name]):.4g}" for name in names if name in values
        )


def _rate(trainer: pl.Trainer) -> str:
    """Tokens per second as logged last, or nothing before that."""
    rate = trainer.callback_metrics.get("train/tokens_per_second")
    return "" if rate is None else f"{float(rate):,.0f} tokens/s"
