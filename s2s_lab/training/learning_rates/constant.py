"""A constant learning rate, after an optional linear warm-up."""

from s2s_lab.faults import RequestError
from s2s_lab.training.learning_rates.base import FactorSchedule


class Constant(FactorSchedule):
    """The peak at every step; during the first `warmup_steps` it rises linearly to it.

    Args:
        warmup_steps: optimizer steps of the linear rise.

    Raises:
        RequestError: `warmup_steps` is below 0.
    """

    def __init__(self, *, warmup_steps: int = 0) -> None:
        if warmup_steps < 0:
            raise RequestError(f"learning_rate.warmup_steps is {warmup_steps}, expected at least 0")
        self.warmup_steps = warmup_steps

    def factor(self, step: int, total_steps: int) -> float:
        """See FactorSchedule."""
        return min(1.0, (step + 1) / (self.warmup_steps + 1))
