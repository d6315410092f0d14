"""Schedules of the probability with which the reference, not the model's own token, is fed to the decoder.

Paper: Bengio et al. 2015, "Scheduled Sampling for Sequence Prediction with Recurrent Neural Networks", arXiv
1506.03099, section 2.4. The coin is thrown for each token. Each schedule is a function of the optimizer step.
"""

import math

from s2s_lab.faults import RequestError


class Constant:
    """The same probability at every step.

    Args:
        ratio: probability of feeding the reference, 0 to 1; 1 is plain teacher forcing.
    """

    def __init__(self, *, ratio: float = 1.0) -> None:
        self.ratio = _probability("ratio", ratio)

    def __call__(self, step: int) -> float:
        """The probability at an optimizer step."""
        return self.ratio


class Linear:
    """max(floor, start - slope x step).

    Args:
        start: probability at step 0.
        floor: least probability.
        steps: optimizer steps from start to floor.
    """

    def __init__(self, *, start: float = 1.0, floor: float = 0.0, steps: int) -> None:
        self.start, self.floor = _probability("start", start), _probability("floor", floor)
        if steps < 1:
            raise RequestError(f"teacher_forcing.steps={steps}: at least 1 is expected")
        self.steps = steps

    def __call__(self, step: int) -> float:
        """The probability at an optimizer step."""
        return max(self.floor, self.start - (self.start - self.floor) * step / self.steps)


class InverseSigmoid:
    """k / (k + exp(step / k)).

    Args:
        k: optimizer steps that set the speed of the decay; the probability is a half near step k ln k.
    """

    def __init__(self, *, k: float) -> None:
        if k < 1:
            raise RequestError(f"teacher_forcing.k={k}: at least 1 is expected")
        self.k = k

    def __call__(self, step: int) -> float:
        """The probability at an optimizer step."""
        return self.k / (self.k + math.exp(min(step / self.k, 700.0)))


def _probability(name: str, value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise RequestError(f"teacher_forcing.{name}={value}: a probability from 0 to 1 is expected")
    return value
