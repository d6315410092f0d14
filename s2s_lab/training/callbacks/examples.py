"""Hands the examples and attention pictures of each validation to the loggers that can show them."""

import lightning.pytorch as pl

from s2s_lab.training.loggers.base import ShowsExamples
from s2s_lab.training.module import Seq2SeqModule


class ExampleLogging(pl.Callback):
    """Calls `show_examples` of each logger that has it, after each validation."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """See the class."""
        assert isinstance(pl_module, Seq2SeqModule)
        if trainer.is_global_zero:
            for logger in trainer.loggers:
                if isinstance(logger, ShowsExamples):
                    logger.show_examples(pl_module.examples, step=trainer.global_step)
