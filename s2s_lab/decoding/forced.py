"""Forced decoding: the given outputs, scored by the model one step after the other."""

from dataclasses import dataclass
from typing import Any

import torch

from s2s_lab.decoding.base import DecodingStrategy, Found
from s2s_lab.decoding.rescoring import rescore
from s2s_lab.decoding.task import StepFunction, Task
from s2s_lab.faults import RequestError


@dataclass(kw_only=True, eq=False)
class ForcedDecoding(DecodingStrategy):
    """Gives each sentence's target back, ended by eos, with the model's log-probability and attention.

    The target alone says how long the output is and what is in it: the limits and banned ids of other strategies do
    not count.

    Raises:
        RequestError: there are constraints.
    """

    name = "forced"
    meets = frozenset({"targets"})

    def __post_init__(self) -> None:
        """Checks the options."""
        super().__post_init__()
        if self.constraints:
            raise RequestError("constraint=[...]: decoding=forced has nothing to choose, expected no constraint")

    def options(self) -> tuple[str, ...]:
        """Returns nothing: forced decoding has no option of its own."""
        return ()

    def signature(self, *, exact: bool = False) -> str:
        """Returns the name: nothing else changes the output."""
        return f"{self.name}|"

    def search(self, step: StepFunction, state: Any, memory: Any, task: Task) -> Found:
        """Scores one batch; see the base class.

        Raises:
            RequestError: there are no targets, or lengths are given beside them.
        """
        if task.demands.targets is None:
            raise RequestError("decoding=forced needs a target for each sentence, expected targets_file=FILE")
        if task.exact:
            raise RequestError("decoding=forced takes its lengths from the targets, expected no other ones")
        longest = max(map(len, task.demands.targets))
        rows = [[*ids, self.eos, *[self.eos] * (longest - len(ids))] for ids in task.demands.targets]
        symbols = torch.tensor(rows, dtype=torch.int64, device=task.limits.device).unsqueeze(1)  # (batch, 1, symbols)
        lengths = torch.tensor([[len(ids)] for ids in task.demands.targets], device=symbols.device)
        found = rescore(step, state, memory, symbols, lengths + 1, bos=self.bos, weights=task.weights)
        ended = torch.ones_like(lengths, dtype=torch.bool)
        return Found(symbols[:, :, :-1], lengths, found.log_probs, found.log_probs, ended, found.weights)
