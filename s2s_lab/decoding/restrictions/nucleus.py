"""The most probable symbols that together reach a probability."""

import torch
from torch import Tensor

from s2s_lab.decoding import filters
from s2s_lab.decoding.checks import positive
from s2s_lab.decoding.restrictions.base import Restriction


class Nucleus(Restriction):
    """Keeps the smallest number of most probable symbols whose probability reaches p; the lower id wins a tie.

    Paper: Holtzman, Buys, Du, Forbes, Choi 2020, arXiv 1904.09751, equation 2. Deviation: none.

    Args:
        p: above 0 and at most 1.

    Raises:
        RequestError: p is out of its range.
    """

    def __init__(self, *, p: float = 0.9) -> None:
        self.p = positive("p", p, 1, place="decoding.restriction")

    def signature(self) -> str:
        """Returns name and p."""
        return f"nucleus:{self.p:g}"

    def keep(self, log_probs: Tensor) -> Tensor:
        """Keeps the nucleus; see the base class."""
        values, ids = filters.nucleus(log_probs, self.p)
        return torch.zeros_like(log_probs, dtype=torch.bool).scatter_(1, ids, values > -torch.inf)
