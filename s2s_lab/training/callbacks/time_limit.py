"""Measures a training's wall-clock time over all its resumptions, and tells when too much of it has gone."""

import time
from typing import Any

import lightning.pytorch as pl


class TimeLimit(pl.Callback):
    """The clock of a training that may last only so long; AgreedStop asks it, and ends the training on all ranks.

    What a training did between its last checkpoint and a crash is not counted.

    Args:
        seconds: of wall-clock time, from the start of the training, validations included.
    """

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds
        self.before, self.began = 0.0, time.perf_counter()

    @property
    def is_over(self) -> bool:
        """Whether the time has gone."""
        return self._elapsed() >= self.seconds

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock."""
        self.began = time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        """The seconds until now."""
        return {"seconds": self._elapsed()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from there."""
        self.before = state_dict["seconds"]

    def _elapsed(self) -> float:
        return self.before + time.perf_counter() - self.began
