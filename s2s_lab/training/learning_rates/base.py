"""What a schedule is: from an optimizer and a budget to a torch scheduler and when it moves."""

from abc import ABC, abstractmethod
from typing import Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler


class Schedule(ABC):
    """A factory of torch schedulers.

    Attributes:
        interval: whether the scheduler moves after every optimizer step or after every validation.
    """

    interval: Literal["step", "validation"] = "step"

    @abstractmethod
    def scheduler(self, optimizer: Optimizer, total_steps: int, *, higher_is_better: bool) -> LRScheduler:
        """Builds the scheduler.

        Args:
            optimizer: its learning rates are the peaks.
            total_steps: optimizer steps of the whole training.
            higher_is_better: direction of the monitored metric, for schedules that watch it.
        """


class FactorSchedule(Schedule):
    """A schedule given by a factor of the peak learning rate at each optimizer step."""

    @abstractmethod
    def factor(self, step: int, total_steps: int) -> float:
        """The factor at an optimizer step, the first being step 0."""

    def scheduler(self, optimizer: Optimizer, total_steps: int, *, higher_is_better: bool) -> LRScheduler:
        """See Schedule."""
        return LambdaLR(optimizer, lambda step: self.factor(step, total_steps))
