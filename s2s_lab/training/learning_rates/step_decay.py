"""Multiplies the learning rate again and again after a given share of the training."""

from s2s_lab.faults import RequestError
from s2s_lab.training.learning_rates.base import FactorSchedule


class StepDecay(FactorSchedule):
    """Constant up to a share of the training, then multiplied by `decay` in `times` equal intervals.

    Source: Luong et al. 2015, arXiv 1508.04025, section 4.1 (halved after every epoch from the fifth on), in the shares
    of the schedule "luong234" of Luong, Brevdo and Zhao 2017 (github tensorflow/nmt): 4 times over the last third of
    the steps. Deviation from the latter: there the first decay comes one interval after `start`.

    Args:
        start: share of the training after which the first decay comes, 0 to 1.
        times: number of decays, the first at `start`.
        decay: factor of each.
    """

    def __init__(self, *, start: float = 2 / 3, times: int = 4, decay: float = 0.5) -> None:
        if not 0.0 <= start < 1.0:
            raise RequestError(f"learning_rate.start={start}: a share from 0 to below 1 is expected")
        if not decay > 0.0:
            raise RequestError(f"learning_rate.decay={decay}: a number above 0 is expected")
        if times < 1:
            raise RequestError(f"learning_rate.times={times}: at least 1 is expected")
        self.start, self.times, self.decay = start, times, decay

    def factor(self, step: int, total_steps: int) -> float:
        """See FactorSchedule."""
        first = self.start * total_steps
        if step < first:
            return 1.0
        interval = (total_steps - first) / self.times
        return self.decay ** min(self.times, 1 + int((step - first) / interval))
