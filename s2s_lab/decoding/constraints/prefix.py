"""Outputs that begin with given symbols."""

from typing import Any

import torch
from torch import Tensor

from s2s_lab.decoding.constraints.base import Constraint
from s2s_lab.decoding.task import Task
from s2s_lab.faults import RequestError


class Prefix(Constraint):
    """Lets only the next symbol of the sentence's prefix through until the prefix is at its end.

    The prefix counts towards every length and limit, and its log-probability is part of the output's. A search with
    another constraint or a banned id that forbids the prefix finds no output.
    """

    meets = frozenset({"prefixes"})

    def signature(self) -> str:
        """Returns the name."""
        return "prefix"

    def start(self, task: Task) -> Any:
        """Gives the prefixes (batch, longest), filled up, and their lengths (batch,), both int64.

        Raises:
            RequestError: a prefix does not fit into the length limit of its sentence.
        """
        prefixes = task.demands.prefixes or ((),) * len(task.limits)
        longest = max(map(len, prefixes))
        ids = task.limits.new_tensor([[*prefix, *[0] * (longest - len(prefix))] for prefix in prefixes])
        lengths = task.limits.new_tensor([len(prefix) for prefix in prefixes])
        room = task.limits - 1 if task.exact else task.limits
        for place in (lengths > room).nonzero().flatten().tolist():
            sentence, length, most = (int(part[place]) for part in (task.sentence_index, lengths, room))
            raise RequestError(
                f"constraint.prefix: the prefix of sentence {sentence} has {length} symbols, expected at most {most}, "
                "the length that its output may have"
            )
        return ids.view(len(prefixes), longest), lengths

    def advance(self, state: Any, previous_ids: Tensor, weights: Tensor | None) -> Any:
        """Keeps the prefixes; see the base class."""
        return state

    def adjust(self, log_probs: Tensor, state: Any, step: int) -> None:
        """Forbids all but the next symbol of the prefix; see the base class."""
        ids, lengths = state
        if step >= ids.size(1):
            return
        next_ids, forced = ids[:, step : step + 1], (lengths > step).unsqueeze(1)
        as_it_was = log_probs.gather(1, next_ids)
        log_probs.masked_fill_(forced, -torch.inf).scatter_(1, next_ids, as_it_was)
