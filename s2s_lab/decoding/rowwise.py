"""The loop of the strategies whose hypotheses never compete: each row picks its own next symbol."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from s2s_lab.decoding.base import DecodingStrategy, Found
from s2s_lab.decoding.history import History
from s2s_lab.decoding.state import leaving_pays, look_due, repeat_rows, select_rows
from s2s_lab.decoding.task import StepFunction, Task


class RowwiseSearch(DecodingStrategy):
    """Lets every row choose its next symbol until eos or the limit; a variant says how to choose.

    There are `num_hypotheses` rows for each sentence; the first step, equal for all of them, runs once. The
    score is the log-probability and hypotheses are returned by it, best first. A sentence is finished when all
    its rows are; finished sentences leave the batch by the rule of `state.leaving_pays`; until then their rows
    go on and what they give is dropped.
    """

    @abstractmethod
    def choose(self, log_probs: Tensor, step: int, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Chooses the next symbols.

        Args:
            log_probs: (rows, vocab), -inf at forbidden ids.
            step: from 0.
            keys: (rows,) int64, as `row_keys` made them.

        Returns:
            Log-probabilities (rows,) and ids (rows,) int64 of the chosen symbols.
        """

    def row_keys(self, sentence_index: Tensor) -> Tensor:
        """Gives each row a number that tells it from all others of the split.

        Args:
            sentence_index: (batch,) int64.

        Returns:
            (batch, num_hypotheses) int64.
        """
        return sentence_index.unsqueeze(1).expand(-1, self.num_hypotheses)

    def search(self, step: StepFunction, state: Any, memory: Any, task: Task) -> Found:
        """Searches one batch; see the base class."""
        limits = task.limits
        device, on_accelerator, width = limits.device, limits.device.type != "cpu", self.num_hypotheses
        next_symbol = self.next_symbol(device, exact=task.exact)
        history = History(len(limits), device)
        shortest, longest = torch.stack(torch.aminmax(limits)).tolist()
        previous, ends, keys = torch.full_like(limits, self.bos), limits, self.row_keys(task.sentence_index)
        done = torch.zeros((len(limits), width), dtype=torch.bool, device=device)
        for t in range(longest):
            scores, state, attention = step(previous, state, memory)
            log_probs = next_symbol(scores, t, ends, state)
            shown = (attention,) if task.weights and attention is not None else ()
            if t == 0:
                state, log_probs, shown = repeat_rows((state, log_probs, shown), width)
            best, previous = self.choose(log_probs, t, keys.flatten())
            history.record(*(part.unflatten(0, (-1, width)) for part in (previous, best, *shown)))
            done = done | (previous == self.eos).view(-1, width)
            if t + 1 >= shortest:
                done |= (ends <= t + 1).unsqueeze(1)
            if not look_due(t, on_accelerator):
                continue
            gone = done if width == 1 else done.all(1)
            num_gone = int(gone.sum())
            if num_gone == len(gone):
                break
            if leaving_pays(num_gone, len(gone)):
                kept = (~gone.view(-1)).nonzero().squeeze(1)
                history.keep(kept)
                memory, ends, keys, done = select_rows((memory, ends, keys, done), kept)
                rows = (kept.unsqueeze(1) * width + torch.arange(width, device=device)).flatten()
                state, previous = select_rows((state, previous), rows)
        return _found(history, limits, self.eos)


def _found(history: History, limits: Tensor, eos: int) -> Found:
    """Cuts every row at its first eos or its limit and sorts the rows of each sentence."""
    ids, log_probs, *rest = history.stack()  # (steps, batch, width), ..., (steps, batch, width, source_len)
    steps = torch.arange(len(ids), device=ids.device).view(-1, 1, 1)
    running = ((ids == eos).cumsum(0) == 0) & (steps < limits.unsqueeze(1))
    lengths = running.sum(0)  # (batch, width)
    finished = lengths < limits.unsqueeze(1)
    sums = torch.where(steps < lengths + finished.long(), log_probs, 0.0).sum(0, dtype=torch.float64)
    sums, order = sums.sort(dim=-1, descending=True, stable=True)
    ids = ids.permute(1, 2, 0).gather(1, order.unsqueeze(2).expand(-1, -1, len(ids)))
    weights = None
    if rest:
        places = order.view(*order.shape, 1, 1).expand(-1, -1, len(rest[0]), rest[0].size(-1))
        weights = rest[0].permute(1, 2, 0, 3).gather(1, places)
    return Found(ids, lengths.gather(1, order), sums, sums, finished.gather(1, order), weights)
