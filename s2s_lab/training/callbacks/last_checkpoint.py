"""Keeps the state to go on from: after each validation, and where a training breaks off."""

import logging
from pathlib import Path

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Checkpoint

from s2s_lab.training.callbacks.boundary import Boundary
from s2s_lab.training.checkpoint_io import LAST
from s2s_lab.training.module import Seq2SeqModule

log = logging.getLogger(__name__)


class LastCheckpoint(Checkpoint):
    """Writes last.ckpt.

    When a training breaks off its state is written if it is that of a point between two updates: after an interrupt
    always, after a fault unless an update or the bookkeeping of a validation had begun. With several ranks a fault
    leaves the checkpoint that was there: AgreedStop lets no rank come here alone.

    Args:
        folder: where last.ckpt lies.
        boundary: knows the point.
    """

    def __init__(self, *, folder: Path, boundary: Boundary) -> None:
        self.path = folder / LAST
        self.boundary = boundary

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes the state after a validation."""
        trainer.save_checkpoint(self.path)
        self.boundary.validating = False

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Writes the state where a training breaks off, or leaves the checkpoint that is there; see the class."""
        assert isinstance(pl_module, Seq2SeqModule)
        if self.boundary.point is None or self.boundary.validating or pl_module.updating:
            return
        try:
            trainer.save_checkpoint(self.path)
        except Exception as error:  # the first fault is the one to tell
            log.warning("the state at the end could not be saved: %s", error)
