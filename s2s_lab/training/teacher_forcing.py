"""Schedules of the probability with which the reference, not the model's own token, is fed to the decoder.

Paper: Bengio et al. 2015, "Scheduled Sampling for Sequence Prediction with Recurrent Neural Networks", arXiv
1506.03099, section 2.4. Each schedule is a function of the optimizer step, and says what a coin is thrown for.
"""

import math
from abc import ABC, abstractmethod
from typing import Literal, get_args

from s2s_lab.faults import RequestError

Coin = Literal["token", "sequence"]


class TeacherForcing(ABC):
    """A schedule.

    Args:
        coin: what a coin is thrown for: each token, or each whole sequence.

    Raises:
        RequestError: if `coin` is neither.
    """

    def __init__(self, *, coin: Coin = "token") -> None:
        if coin not in get_args(Coin):
            raise RequestError(f"teacher_forcing.coin={coin}: one of {', '.join(get_args(Coin))} is expected")
        self.coin: Coin = coin

    @abstractmethod
    def __call__(self, step: int) -> float:
        """The probability at an optimizer step."""


class Constant(TeacherForcing):
    """The same probability at every step.

    Args:
        ratio: probability of feeding the reference, 0 to 1; 1 is plain teacher forcing.
        coin: see TeacherForcing.
    """

    def __init__(self, *, ratio: float = 1.0, coin: Coin = "token") -> None:
        super().__init__(coin=coin)
        self.ratio = _probability("ratio", ratio)

    def __call__(self, step: int) -> float:
        """The probability at an optimizer step."""
        return self.ratio


class Linear(TeacherForcing):
    """max(floor, start - slope x step).

    Args:
        start: probability at step 0.
        floor: least probability.
        steps: optimizer steps from start to floor.
        coin: see TeacherForcing.
    """

    def __init__(self, *, start: float = 1.0, floor: float = 0.0, steps: int, coin: Coin = "token") -> None:
        super().__init__(coin=coin)
        self.start, self.floor = _probability("start", start), _probability("floor", floor)
        if steps < 1:
            raise RequestError(f"teacher_forcing.steps={steps}: at least 1 is expected")
        self.steps = steps

    def __call__(self, step: int) -> float:
        """The probability at an optimizer step."""
        return max(self.floor, self.start - (self.start - self.floor) * step / self.steps)


class InverseSigmoid(TeacherForcing):
    """k / (k + exp(step / k)).

    Args:
        k: optimizer steps that set the speed of the decay; the probability is a half near step k ln k.
        coin: see TeacherForcing.
    """

    def __init__(self, *, k: float, coin: Coin = "token") -> None:
        super().__init__(coin=coin)
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
