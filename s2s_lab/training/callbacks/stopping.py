"""Ends a training: at its last optimizer step, after a last validation, or early when nothing gets better."""

from typing import Any

import lightning.pytorch as pl


class LastValidation(pl.Callback):
    """Asks for the end at the last optimizer step, so that Lightning validates once more before it stops.

    Args:
        total_steps: optimizer steps of the whole training.
    """

    def __init__(self, *, total_steps: int) -> None:
        self.total_steps = total_steps

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """See the class."""
        if trainer.global_step >= self.total_steps:
            trainer.should_stop = True
