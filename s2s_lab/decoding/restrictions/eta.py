"""The symbols above a probability that falls with the entropy."""

import math

from torch import Tensor

from s2s_lab.decoding.checks import positive
from s2s_lab.decoding.restrictions.base import Restriction, entropy


class Eta(Restriction):
    """Keeps the symbols more probable than min(epsilon, sqrt(epsilon) exp(-entropy)), or the most probable one.

    Paper: Hewitt, Manning, Liang 2022, arXiv 2210.15191 (eta sampling: p > min(epsilon, alpha exp(-H))), with alpha the
    square root of epsilon as in the paper's experiments. Deviation: none.

    Args:
        epsilon: above 0 and at most 1.

    Raises:
        RequestError: epsilon is out of its range.
    """

    def __init__(self, *, epsilon: float = 0.002) -> None:
        self.epsilon = positive("epsilon", epsilon, 1, place="decoding.restriction")

    def signature(self) -> str:
        """Returns name and epsilon."""
        return f"eta:{self.epsilon:g}"

    def keep(self, log_probs: Tensor) -> Tensor:
        """Keeps what is above eta; see the base class."""
        log_epsilon = math.log(self.epsilon)
        return log_probs > (0.5 * log_epsilon - entropy(log_probs)).clamp_(max=log_epsilon)
