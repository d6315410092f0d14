"""No output much shorter than its source."""

from typing import Any

import torch
from torch import Tensor

from s2s_lab.decoding.checks import positive
from s2s_lab.decoding.constraints.base import Constraint
from s2s_lab.decoding.task import Task, symbols_for


class MinLengthRatio(Constraint):
    """Forbids eos as long as an output, eos counted, would be shorter than `ratio` times its source, eos counted.

    A sentence whose limit is lower than that is cut at its limit. Where each output's length is given exactly, that
    length holds alone.

    Args:
        eos: id that ends a hypothesis.
        ratio: output symbols for each source symbol, above 0.

    Raises:
        RequestError: ratio is out of its range.
    """

    def __init__(self, *, eos: int, ratio: float = 0.5) -> None:
        self.eos = eos
        self.ratio = positive("ratio", ratio, place="constraint.min_length_ratio")

    def signature(self) -> str:
        """Returns name and ratio."""
        return f"min_length_ratio:{self.ratio:g}"

    def start(self, task: Task) -> Any:
        """Counts the symbols that each output needs before its eos, (batch,) int64.

        Raises:
            ValueError: the task has no source lengths.
        """
        if task.source_lengths is None:
            raise ValueError("constraint.min_length_ratio needs the source lengths")
        if task.exact:
            return torch.zeros_like(task.limits)
        return symbols_for(self.ratio, task.source_lengths) - 1

    def advance(self, state: Any, previous_ids: Tensor, weights: Tensor | None) -> Any:
        """Keeps the count; see the base class."""
        return state

    def adjust(self, log_probs: Tensor, state: Any, step: int) -> None:
        """Forbids eos while it is too early; see the base class."""
        log_probs[:, self.eos].masked_fill_(state > step, -torch.inf)
