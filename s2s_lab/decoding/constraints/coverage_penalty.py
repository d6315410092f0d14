"""Outputs that leave source symbols without attention are less wanted."""

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from s2s_lab.decoding.checks import at_least
from s2s_lab.decoding.constraints.base import Constraint
from s2s_lab.decoding.task import Task
from s2s_lab.faults import RequestError

LEAST = 1e-9
"""A source symbol that got less attention than this counts as if it had got so much: log 0 is no number."""


class CoverageState(NamedTuple):
    """What is known of each hypothesis.

    Attributes:
        lengths: (rows,) int64, of the sources.
        covered: (rows, source_len) attention that each source symbol got so far, at least 1 at padding; no columns
            before the first symbol.
        before: (rows,) the penalty up to the symbol before; 0 before the first.
        now: (rows,) the penalty up to the symbol that is chosen next, which is the same whichever that is.
    """

    lengths: Tensor
    covered: Tensor
    before: Tensor
    now: Tensor


class CoveragePenalty(Constraint):
    """Adds beta x sum over source symbols of log min(attention that the symbol got from all output symbols, 1).

    Of each partial output this is what its next symbol's attention makes of it; the changes from symbol to symbol add
    up to the penalty of the whole output, eos included. In a beam search it is added after the length penalty, as in
    the paper, and guides each step; other strategies have no length penalty. Alone it changes no choice of one symbol.

    Paper: Wu et al. 2016, arXiv 1609.08144, equation 14, cp(X; Y). Deviation: a source symbol with less attention than
    `LEAST` counts as if it had got so much.

    Args:
        beta: weight of the penalty, at least 0; 0 changes nothing.

    Raises:
        RequestError: beta is out of its range.
    """

    soft = True
    lifts = True

    def __init__(self, *, beta: float = 0.2) -> None:
        self.beta = at_least("beta", beta, 0, place="constraint.coverage_penalty")
        self._divisor: Callable[[int], float] = lambda length: 1.0

    def signature(self) -> str:
        """Returns name and beta."""
        return f"coverage_penalty:{self.beta:g}"

    def scored_with(self, divisor: Callable[[int], float]) -> "CoveragePenalty":
        """Gives the same penalty multiplied by what sums are divided by; see the base class."""
        scaled = copy.copy(self)
        scaled._divisor = divisor
        return scaled

    def start(self, task: Task) -> CoverageState:
        """Starts without any attention.

        Raises:
            ValueError: the task has no source lengths.
        """
        if task.source_lengths is None:
            raise ValueError("constraint.coverage_penalty needs the source lengths")
        nothing = torch.zeros(len(task.limits), device=task.limits.device)
        return CoverageState(task.source_lengths, nothing.new_empty((len(nothing), 0)), nothing, nothing)

    def advance(self, state: CoverageState, previous_ids: Tensor, weights: Tensor | None) -> CoverageState:
        """Adds the attention of the symbol that is chosen next.

        Raises:
            RequestError: there is no attention, or it is not over the source symbols.
        """
        if weights is None:
            raise RequestError("constraint.coverage_penalty: the model gives no attention, expected a model with one")
        weights = weights.to(torch.promote_types(weights.dtype, torch.float32))
        lengths, covered, _, before = state
        if covered.size(1) == 0:
            covered = self._padding(lengths, weights)
        covered = covered + weights
        now = self.beta * covered.clamp(LEAST, 1.0).log().sum(1)
        return CoverageState(lengths, covered, before.to(now.dtype), now)

    def adjust(self, log_probs: Tensor, state: CoverageState, step: int) -> None:
        """Adds by how much the penalty changes with the next symbol; see the base class."""
        change = self._divisor(step + 1) * state.now - (self._divisor(step) * state.before if step else 0.0)
        log_probs.add_(change.unsqueeze(1))

    def _padding(self, lengths: Tensor, weights: Tensor) -> Tensor:
        """Gives 1 where a source has ended, so that nothing is missed there, and 0 elsewhere; (rows, source_len).

        Raises:
            RequestError: there are fewer weights than source symbols.
        """
        positions, longest = weights.size(1), int(lengths.max())
        if positions < longest:
            raise RequestError(
                f"constraint.coverage_penalty: the model attends to {positions} places of a source of {longest} "
                "symbols, expected one for each symbol"
            )
        return (torch.arange(positions, device=lengths.device) >= lengths.unsqueeze(1)).to(weights.dtype)
