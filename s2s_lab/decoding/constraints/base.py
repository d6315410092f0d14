"""The contract of a constraint: from the symbols so far to what may come next, under any strategy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from torch import Tensor

from s2s_lab.decoding.task import StepFunction, Task


class Constraint(ABC):
    """Forbids next symbols, or makes them more or less wanted, by what a hypothesis holds already.

    A constraint keeps what it knows of a hypothesis in a state of its own, which strategies carry along with the
    network's: rows are selected and repeated together. It never changes a log-probability that is reported.

    Where a constraint is soft a hypothesis has two sums: that of the adjusted values, which a search ranks by and turns
    into the score, and that of the model's own ones, which is reported.

    Attributes:
        soft: whether it changes finite values, by which a strategy then ranks; else it forbids, with -inf, alone.
        lifts: whether it may also add to a value; a search then knows no bound on what a hypothesis may still become.
        meets: names of the `Demands` that it sees to.
    """

    soft: ClassVar[bool] = False
    lifts: ClassVar[bool] = False
    meets: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def signature(self) -> str:
        """Returns the name and every option that changes the output, without spaces and bars."""

    def scored_with(self, divisor: Callable[[int], float]) -> Constraint:
        """Gives the constraint for a search whose score is a sum divided by something of its length.

        Args:
            divisor: from a length, in symbols with eos, at least 1, to what a sum is divided by.

        Returns:
            By default itself; a new one where what it adds belongs to the score and not to the sum.
        """
        return self

    @abstractmethod
    def start(self, task: Task) -> Any:
        """Gives the state before the first symbol: nested tuples of tensors (batch, ...)."""

    @abstractmethod
    def advance(self, state: Any, previous_ids: Tensor, weights: Tensor | None) -> Any:
        """Takes in the symbol that each row was continued with; at the first step this is bos.

        Args:
            state: nested tuples of tensors (rows, ...).
            previous_ids: (rows,) int64.
            weights: (rows, source_len) the attention of the step that reads `previous_ids`, or None.

        Returns:
            The next state, new tensors.
        """

    @abstractmethod
    def adjust(self, log_probs: Tensor, state: Any, step: int) -> None:
        """Changes, in place, what the next symbol is chosen by.

        Args:
            log_probs: (rows, vocab), natural log, contiguous.
            state: as `advance` gave it for these rows.
            step: from 0.
        """


def constrained_step(step: StepFunction, constraints: Sequence[Constraint]) -> StepFunction:
    """Wraps a step so that its state is (the network's state, the constraints' states)."""

    def constrained(previous_ids: Tensor, state: Any, memory: Any) -> tuple[Tensor, Any, Tensor | None]:
        inner, kept = state
        scores, inner, weights = step(previous_ids, inner, memory)
        pairs = zip(constraints, kept, strict=True)
        return scores, (inner, tuple(each.advance(its, previous_ids, weights) for each, its in pairs)), weights

    return constrained
