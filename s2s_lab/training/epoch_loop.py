"""Lightning's loop over the batches of an epoch, with validations counted in optimizer steps."""

import warnings
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop


class StepwiseEpochLoop(_TrainingEpochLoop):
    """Validates after every so many optimizer steps, or after each epoch, and after the last step; never twice there.

    Attributes:
        validated_at: optimizer step of the last validation, 0 before the first.
        out_of_time: whether the training ends before its last step, as its time is over.

    Args:
        trainer: whose loop it is.
        every: optimizer steps from one validation to the next, or None for one an epoch.
        total_steps: optimizer steps of the whole training; a training may be ended earlier by `end_at`.
    """

    def __init__(self, trainer: pl.Trainer, *, every: int | None, total_steps: int) -> None:
        super().__init__(trainer)
        self.every, self.total_steps = every, total_steps
        self.validated_at = 0
        self.out_of_time = False

    def end_at(self, step: int) -> None:
        """Makes an optimizer step the last one, if it comes before the last one: the training's time is over."""
        if step < self.total_steps:
            self.total_steps, self.out_of_time = step, True

    @property
    def due(self) -> bool:
        """Whether the present optimizer step is to be validated, and has not been."""
        step = self.global_step
        if step == self.validated_at or self.accumulating:
            return False
        if step >= self.total_steps:
            return True
        return self._num_ready_batches_reached() if self.every is None else step % self.every == 0

    @property
    def accumulating(self) -> bool:
        """Whether the present batch's gradient waits for those of more batches."""
        return self._should_accumulate()

    @property
    def logged_step(self) -> int:
        """Optimizer steps that Lightning's loggers have counted."""
        return self._batches_that_stepped

    def reset(self) -> None:
        """Lightning doubts that a loader can go on in the middle of an epoch; here its sampler can."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended before the epoch")
            super().reset()

    def _should_check_val_fx(self, data_fetcher: Any) -> bool:
        return self.due
