"""The symbols above a fixed probability."""

import math

from torch import Tensor

from s2s_lab.decoding.checks import positive
from s2s_lab.decoding.restrictions.base import Restriction


class Epsilon(Restriction):
    """Keeps the symbols that are more probable than epsilon; if there is none, the most probable one.

    Paper: Hewitt, Manning, Liang 2022, arXiv 2210.15191 (epsilon sampling: p > epsilon). Deviation: none.

    Args:
        epsilon: above 0 and at most 1.

    Raises:
        RequestError: epsilon is out of its range.
    """

    def __init__(self, *, epsilon: float = 0.02) -> None:
        self.epsilon = positive("epsilon", epsilon, 1, place="decoding.restriction")

    def signature(self) -> str:
        """Returns name and epsilon."""
        return f"epsilon:{self.epsilon:g}"

    def keep(self, log_probs: Tensor) -> Tensor:
        """Keeps what is above epsilon; see the base class."""
        return log_probs > math.log(self.epsilon)
