"""No n symbols in a row twice."""

from typing import Any

import torch
from torch import Tensor

from s2s_lab.decoding.checks import whole_number
from s2s_lab.decoding.constraints.base import Constraint
from s2s_lab.decoding.task import Task


class NoRepeat(Constraint):
    """Forbids each symbol that would make an output hold the same `size` symbols in a row a second time.

    Paper: Paulus, Xiong, Socher 2018, arXiv 1705.04304, section 2.5 (trigrams). Deviation: none.

    Args:
        size: symbols in a row, at least 1; with 1 no symbol comes twice.

    Raises:
        RequestError: size is out of its range.
    """

    def __init__(self, *, size: int = 3) -> None:
        self.size = whole_number("size", size, 1, place="constraint.no_repeat")

    def signature(self) -> str:
        """Returns name and size."""
        return f"no_repeat:{self.size}"

    def start(self, task: Task) -> Any:
        """Starts with no symbols; see the base class."""
        return task.limits.new_empty((len(task.limits), 0))

    def advance(self, state: Any, previous_ids: Tensor, weights: Tensor | None) -> Any:
        """Keeps all symbols, bos first; see the base class."""
        return torch.cat((state, previous_ids.unsqueeze(1)), 1)

    def adjust(self, log_probs: Tensor, state: Any, step: int) -> None:
        """Forbids what followed the last symbols earlier; see the base class."""
        if step < self.size:
            return
        windows = state.unfold(1, self.size, 1)  # (rows, windows, size)
        last = state[:, state.size(1) - self.size + 1 :].unsqueeze(1)
        seen = (windows[:, :, :-1] == last).all(-1)
        following = windows[:, :, -1]
        forbidden = log_probs.gather(1, following).masked_fill_(seen, -torch.inf)
        log_probs.scatter_reduce_(1, following, forbidden, "amin")
