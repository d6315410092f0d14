"""The loop of the strategies whose hypotheses never compete: each row picks its own next symbol."""

from abc import abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from s2s_lab.decoding.base import DecodingStrategy, Found
from s2s_lab.decoding.history import History
from s2s_lab.decoding.state import look_due, staying
from s2s_lab.decoding.task import StepFunction, Task
from s2s_lab.decoding.trace import Candidate, Fate, Trace
from s2s_lab.nested import repeat_rows, select_rows


class RowwiseSearch(DecodingStrategy):
    """Lets every row choose its next symbol until eos or the limit; a variant says how to choose.

    There are `num_hypotheses` rows for each sentence; the first step, equal for all of them, runs once. The
    score is the log-probability, as soft constraints changed it, and hypotheses are returned by it, best first. A
    sentence is finished when all its rows are; finished sentences leave the batch by the rule of
    `state.room_for`; until then their rows go on and what they give is dropped. A trace is told the symbols that
    were chosen.
    """

    takes_soft = True
    traces = True

    @abstractmethod
    def choose(self, log_probs: Tensor, step: int, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Chooses the next symbols.

        Args:
            log_probs: (rows, vocab), -inf at forbidden ids, as soft constraints changed them.
            step: from 0.
            keys: (rows,) int64, as `row_keys` made them.

        Returns:
            The `log_probs` (rows,) and ids (rows,) int64 of the chosen symbols.
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
            own = () if next_symbol.own is None else (next_symbol.own,)
            if t == 0:
                state, log_probs, shown, own = repeat_rows((state, log_probs, shown, own), width)
            best, previous = self.choose(log_probs, t, keys.flatten())
            own = tuple(part.gather(1, previous.unsqueeze(1)).squeeze(1) for part in own)
            history.record(*(part.unflatten(0, (-1, width)) for part in (previous, best, *own, *shown)))
            done = done | (previous == self.eos).view(-1, width)
            if t + 1 >= shortest:
                done |= (ends <= t + 1).unsqueeze(1)
            if not look_due(t, on_accelerator):
                continue
            kept = staying(done.squeeze(1) if width == 1 else done.all(1))
            if kept is not None:
                if len(kept) == 0:
                    break
                history.keep(kept)
                memory, ends, keys, done = select_rows((memory, ends, keys, done), kept)
                rows = (kept.unsqueeze(1) * width + torch.arange(width, device=device)).flatten()
                state, previous = select_rows((state, previous), rows)
        chosen = _Chosen.of(history, limits, self.eos, has_own=next_symbol.own is not None)
        if task.trace is not None:
            chosen.tell(task.trace, task.sentence_index)
        return chosen.found()


class _Chosen(NamedTuple):
    """What the rows chose until their first eos or their limit.

    Attributes:
        ids: (steps, batch, width) int64.
        values: (steps, batch, width) log-probabilities of the single symbols, as soft constraints changed them; 0 from
            `taken` on.
        own: the same, the model's own.
        lengths: (batch, width) int64, without eos.
        finished: (batch, width) bool.
        attention: (steps, batch, width, source_len) or None.
    """

    ids: Tensor
    values: Tensor
    own: Tensor
    lengths: Tensor
    finished: Tensor
    attention: Tensor | None

    @classmethod
    def of(cls, history: History, limits: Tensor, eos: int, *, has_own: bool) -> "_Chosen":
        """Cuts every row at its first eos or its limit.

        Args:
            history: of ids, values, own values if there are other ones, and attention if wanted.
            limits: (batch,) int64.
            eos: id that ends a hypothesis.
            has_own: whether there are own values.
        """
        ids, values, *rest = history.stack()
        steps = torch.arange(len(ids), device=ids.device).view(-1, 1, 1)
        running = ((ids == eos).cumsum(0) == 0) & (steps < limits.unsqueeze(1))
        lengths = running.sum(0)
        finished = lengths < limits.unsqueeze(1)
        taken = steps < lengths + finished.long()
        values = torch.where(taken, values, 0.0)
        own = torch.where(taken, rest.pop(0), 0.0) if has_own else values
        return cls(ids, values, own, lengths, finished, rest[0] if rest else None)

    def found(self) -> Found:
        """Sorts the rows of each sentence."""
        scores, order = self.values.sum(0, dtype=torch.float64).sort(dim=-1, descending=True, stable=True)
        sums = scores if self.own is self.values else self.own.sum(0, dtype=torch.float64).gather(1, order)
        ids = self.ids.permute(1, 2, 0).gather(1, order.unsqueeze(2).expand(-1, -1, len(self.ids)))
        weights = None
        if self.attention is not None:
            places = order.view(*order.shape, 1, 1).expand(-1, -1, len(self.attention), self.attention.size(-1))
            weights = self.attention.permute(1, 2, 0, 3).gather(1, places)
        return Found(ids, self.lengths.gather(1, order), sums, scores, self.finished.gather(1, order), weights)

    def tell(self, trace: Trace, sentence_index: Tensor) -> None:
        """Tells each step of each sentence the symbols of its rows.

        Args:
            trace: is told.
            sentence_index: (batch,) int64.
        """
        scores = self.values.cumsum(0).tolist()
        ids, own, finished = self.ids.tolist(), self.own.tolist(), self.finished.tolist()
        taken = (self.lengths + self.finished.long()).tolist()
        for place, sentence in enumerate(sentence_index.tolist()):
            for step in range(max(taken[place])):
                told = []
                for row, length in enumerate(taken[place]):
                    if step >= length:
                        continue
                    fate: Fate = "finished" if finished[place][row] and step == length - 1 else "kept"
                    id_, value, score = (part[step][place][row] for part in (ids, own, scores))
                    told.append(Candidate(row, id_, value, score, fate, row=row if fate == "kept" else None))
                trace.step(sentence, told)
