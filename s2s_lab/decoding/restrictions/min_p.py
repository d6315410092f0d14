"""The symbols above a share of the most probable one."""

import math

from torch import Tensor

from s2s_lab.decoding.checks import positive
from s2s_lab.decoding.restrictions.base import Restriction


class MinP(Restriction):
    """Keeps the symbols at least p times as probable as the most probable one.

    Paper: Nguyen et al. 2024, arXiv 2407.01082 (min-p). Deviation: none.

    Args:
        p: above 0 and at most 1.

    Raises:
        RequestError: p is out of its range.
    """

    def __init__(self, *, p: float = 0.1) -> None:
        self.p = positive("p", p, 1, place="decoding.restriction")

    def signature(self) -> str:
        """Returns name and p."""
        return f"min_p:{self.p:g}"

    def keep(self, log_probs: Tensor) -> Tensor:
        """Keeps what is near enough to the maximum; see the base class."""
        return log_probs >= log_probs.amax(-1, keepdim=True) + math.log(self.p)
