"""A constant learning rate, after an optional linear warm-up."""

from s2s_lab.training.learning_rates.base import FactorSchedule


class Constant(FactorSchedule):
    """The peak at every step; during the first `warmup_steps` it rises linearly to it."""

    def __init__(self, *, warmup_steps: int = 0) -> None:
        self.warmup_steps = warmup_steps

    def factor(self, step: int, total_steps: int) -> float:
        """See FactorSchedule."""
        return min(1.0, (step + 1) / (self.warmup_steps + 1))
