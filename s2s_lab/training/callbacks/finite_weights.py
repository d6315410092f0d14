"""Keeps weights that are not finite out of every checkpoint."""

from typing import Any

import lightning.pytorch as pl

from s2s_lab.faults import RunError
from s2s_lab.training.bad_batches import all_finite


class FiniteWeights(pl.Callback):
    """Ends the training before weights that are not finite are validated or written; the checkpoints before stay.

    Raises:
        RunError: at the validation or the checkpoint that such weights meet.
    """

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """See the class."""
        self._check(trainer, pl_module)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """See the class."""
        self._check(trainer, pl_module)

    def _check(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not all_finite(pl_module.parameters()):
            raise RunError(
                f"the weights are not finite after optimizer step {trainer.global_step}; the last good checkpoint is "
                "kept (a lower optimizer.lr or trainer.gradient_clip may help)"
            )
