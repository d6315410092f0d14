"""Linear warm-up, then decay with the inverse square root of the step."""

from s2s_lab.faults import RequestError
from s2s_lab.training.learning_rates.base import FactorSchedule


class InverseSquareRoot(FactorSchedule):
    """min(step / warmup, sqrt(warmup / step)) of the peak.

    Paper: Vaswani et al. 2017, arXiv 1706.03762, equation 3, scaled so that the peak is the optimizer's learning rate.

    Args:
        warmup_steps: optimizer steps of the linear rise.
    """

    def __init__(self, *, warmup_steps: int = 2000) -> None:
        if warmup_steps < 1:
            raise RequestError(f"learning_rate.warmup_steps={warmup_steps}: at least 1 is expected")
        self.warmup_steps = warmup_steps

    def factor(self, step: int, total_steps: int) -> float:
        """See FactorSchedule."""
        return min((step + 1) / self.warmup_steps, (self.warmup_steps / (step + 1)) ** 0.5)
