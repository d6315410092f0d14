"""Symbols that an output holds already are less wanted."""

from typing import Any

import torch
from torch import Tensor

from s2s_lab.decoding.checks import at_least
from s2s_lab.decoding.constraints.base import Constraint
from s2s_lab.decoding.task import Task


class RepetitionPenalty(Constraint):
    """Multiplies the log-probability of each symbol that an output holds already by `penalty`.

    A log-probability is at most 0, so it falls; a forced prefix counts as part of the output, bos does not.

    Paper: Keskar et al. 2019, arXiv 1909.05858, section 4.1. Deviation: there the logits of such symbols are divided,
    which makes one with a negative logit likelier, and all is normalised again; here a symbol x with p(x) gets
    penalty x log p(x), and the other symbols keep what they had.

    Args:
        penalty: at least 1; 1 changes nothing.

    Raises:
        RequestError: penalty is out of its range.
    """

    soft = True

    def __init__(self, *, penalty: float = 1.2) -> None:
        self.penalty = at_least("penalty", penalty, 1, place="constraint.repetition_penalty")

    def signature(self) -> str:
        """Returns name and penalty."""
        return f"repetition_penalty:{self.penalty:g}"

    def start(self, task: Task) -> Any:
        """Starts with no symbols; see the base class."""
        return task.limits.new_empty((len(task.limits), 0))

    def advance(self, state: Any, previous_ids: Tensor, weights: Tensor | None) -> Any:
        """Keeps all symbols, bos first; see the base class."""
        return torch.cat((state, previous_ids.unsqueeze(1)), 1)

    def adjust(self, log_probs: Tensor, state: Any, step: int) -> None:
        """Makes the symbols so far less wanted; see the base class."""
        held = state[:, 1:]
        log_probs.scatter_(1, held, log_probs.gather(1, held) * self.penalty)  # one value wherever a symbol comes twice
