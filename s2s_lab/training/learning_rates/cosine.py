"""Linear warm-up, then half a cosine down to a floor at the end of the training."""

import math

from s2s_lab.faults import RequestError
from s2s_lab.training.learning_rates.base import FactorSchedule


class Cosine(FactorSchedule):
    """floor + (1 - floor) (1 + cos(pi progress)) / 2 of the peak, after the warm-up.

    Paper: Loshchilov & Hutter 2017, "SGDR", arXiv 1608.03983, equation 5, without restarts.

    Args:
        warmup_steps: optimizer steps of the linear rise.
        floor: share of the peak at the end.
    """

    def __init__(self, *, warmup_steps: int = 0, floor: float = 0.0) -> None:
        if warmup_steps < 0 or not 0.0 <= floor <= 1.0:
            raise RequestError(
                f"learning_rate: warmup_steps={warmup_steps} and floor={floor} must be >= 0 and in [0, 1]"
            )
        self.warmup_steps, self.floor = warmup_steps, floor

    def factor(self, step: int, total_steps: int) -> float:
        """See FactorSchedule."""
        if step < self.warmup_steps:
            return (step + 1) / (self.warmup_steps + 1)
        progress = min(1.0, (step - self.warmup_steps) / max(1, total_steps - self.warmup_steps))
        return self.floor + (1.0 - self.floor) * 0.5 * (1.0 + math.cos(math.pi * progress))
