"""Hands the examples of each validation to the log, and with their attention pictures to the loggers that show them."""

import logging

import lightning.pytorch as pl

from s2s_lab.training.loggers.base import ShowsExamples
from s2s_lab.training.module import Seq2SeqModule

log = logging.getLogger(__name__)


class ExampleLogging(pl.Callback):
    """Writes the examples into log.txt and calls `show_examples` of each logger that has it, after each validation."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """See the class."""
        assert isinstance(pl_module, Seq2SeqModule)
        if trainer.is_global_zero:
            for item in pl_module.examples:
                log.info(
                    "step %d: %s => %s (reference: %s)",
                    trainer.global_step,
                    item.source,
                    item.hypothesis,
                    item.reference,
                )
            for logger in trainer.loggers:
                if isinstance(logger, ShowsExamples):
                    logger.show_examples(pl_module.examples, step=trainer.global_step)
