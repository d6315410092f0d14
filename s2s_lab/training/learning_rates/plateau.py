"""Lowers the learning rate when the monitored metric stops improving."""

from typing import cast

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from s2s_lab.faults import RequestError
from s2s_lab.training.learning_rates.base import Schedule


class Plateau(Schedule):
    """Multiplies by `decay` after more than `patience` validations without a better value of the monitored metric.

    Args:
        decay: factor of each reduction.
        patience: validations without improvement that are borne.
        floor: least learning rate.

    Raises:
        RequestError: a value is out of its range.
    """

    interval = "validation"

    def __init__(self, *, decay: float = 0.5, patience: int = 2, floor: float = 0.0) -> None:
        if not 0.0 < decay < 1.0:
            raise RequestError(f"learning_rate.decay={decay}: a number between 0 and 1 is expected")
        for name, value in (("patience", patience), ("floor", floor)):
            if value < 0:
                raise RequestError(f"learning_rate.{name}={value}: at least 0 is expected")
        self.decay, self.patience, self.floor = decay, patience, floor

    def scheduler(self, optimizer: Optimizer, total_steps: int, *, higher_is_better: bool) -> LRScheduler:
        """See Schedule."""
        mode = "max" if higher_is_better else "min"
        scheduler = ReduceLROnPlateau(
            optimizer,
            mode,
            factor=self.decay,
            patience=self.patience,
            threshold=0.0,
            threshold_mode="abs",
            min_lr=self.floor,
        )
        return cast(LRScheduler, scheduler)
