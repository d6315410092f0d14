"""The k most probable symbols."""

import torch
from torch import Tensor

from s2s_lab.decoding import filters
from s2s_lab.decoding.checks import whole_number
from s2s_lab.decoding.restrictions.base import Restriction


class TopK(Restriction):
    """Keeps the k most probable symbols; the lower id wins a tie.

    Paper: Fan, Lewis, Dauphin 2018, arXiv 1805.04833. Deviation: none.

    Args:
        k: at least 1; more than there are symbols restricts nothing.

    Raises:
        RequestError: k is out of its range.
    """

    def __init__(self, *, k: int = 10) -> None:
        self.k = whole_number("k", k, 1, place="decoding.restriction")

    def signature(self) -> str:
        """Returns name and k."""
        return f"top_k:{self.k}"

    def keep(self, log_probs: Tensor) -> Tensor:
        """Keeps the first k; see the base class."""
        _, ids = filters.top_k(log_probs, self.k)
        return torch.zeros_like(log_probs, dtype=torch.bool).scatter_(1, ids, True)
