"""Search through the tree of all outputs, prefix by prefix, within a budget: what the exact strategies share."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from s2s_lab.decoding.base import DecodingStrategy, Found
from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.candidates import top
from s2s_lab.decoding.checks import whole_number
from s2s_lab.decoding.levels import Level, Opened
from s2s_lab.decoding.rescoring import rescore
from s2s_lab.decoding.task import StepFunction, Task
from s2s_lab.nested import select_rows

ROUNDING = {torch.float64: 1e-9, torch.float32: 1e-4}
"""Natural log units by which the sums of two searches of one output may differ, by the type of the scores."""


class Best(NamedTuple):
    """The best outputs so far, best first.

    Attributes:
        scores: (batch, n) log-probabilities, -inf where there is none.
        ids: (batch, n, target_len) int64, without eos, 0 from `lengths` on.
        lengths: (batch, n) int64, without eos.
        finished: (batch, n) bool.
    """

    scores: Tensor
    ids: Tensor
    lengths: Tensor
    finished: Tensor

    def joined(self, others: "Best") -> "Best":
        """Returns the n best of these and of others, (batch, m); equal scores go to these."""
        scores, places = top(torch.cat((self.scores, others.scores), 1), self.scores.size(1))
        ids = torch.cat((self.ids, others.ids), 1)
        ids = ids.gather(1, places.unsqueeze(2).expand(-1, -1, ids.size(2)))
        lengths = torch.cat((self.lengths, others.lengths), 1).gather(1, places)
        return Best(scores, ids, lengths, torch.cat((self.finished, others.finished), 1).gather(1, places))

    def without(self, others: "Best") -> "Best":
        """Returns these, with score -inf for each that is among the others too."""
        pairs = (self.ids.unsqueeze(2) == others.ids.unsqueeze(1)).all(3)  # (batch, n, m)
        pairs &= self.lengths.unsqueeze(2) == others.lengths.unsqueeze(1)
        pairs &= self.finished.unsqueeze(2) == others.finished.unsqueeze(1)
        pairs &= others.scores.unsqueeze(1) > -torch.inf
        return self._replace(scores=self.scores.masked_fill(pairs.any(2), -torch.inf))


@dataclass(kw_only=True, eq=False)
class TreeSearch(DecodingStrategy):
    """Opens prefixes, best first among those of one length, until none is left that could still become a best output.

    A log-probability never rises when an output grows. So a prefix no more probable than the n-th best output so far,
    the bound, is never opened. A beam search gives the first outputs and the first bound; what is returned is never
    less probable than what it gave. An output cut at the length limit competes with the finished ones, as with every
    other strategy. A variant says which length comes next.

    Each step of the network opens up to `nodes_at_once` prefixes of the same length for each sentence that takes part.
    A sentence waits for a step of the length that it needs and is searched as it would be alone. Once its budget is
    spent its best outputs so far are returned; `optimal` says of each whether it is proved, which it is when no prefix
    is left that is more probable. With float32 scores a proof holds up to their rounding.

    Attributes:
        budget: steps of the network that a sentence may take part in after the beam search, at least 1.
        nodes_at_once: prefixes that a step opens, at least 1.
        start_size: size of the beam search, at least 1 (greedy search); num_hypotheses where that is more.
        num_hypotheses: the n of n-best.

    Raises:
        RequestError: an option is out of its range.
    """

    budget: int = 1000
    nodes_at_once: int = 1
    start_size: int = 5
    num_hypotheses: int = 1

    def __post_init__(self) -> None:
        """Checks the options."""
        super().__post_init__()
        for name in ("budget", "nodes_at_once", "start_size", "num_hypotheses"):
            whole_number(name, getattr(self, name), 1)

    def options(self) -> tuple[str, ...]:
        """Returns budget, nodes of a step, the first beam's size and the n of n-best."""
        return (
            f"budget:{self.budget}",
            f"nodes:{self.nodes_at_once}",
            f"start:{self.start_size}",
            f"nbest:{self.num_hypotheses}",
        )

    @abstractmethod
    def next_length(self, heads: Tensor) -> Tensor:
        """Chooses the length of the prefixes that each sentence opens next.

        Args:
            heads: (batch, lengths) log-probability of the best waiting prefix of each length, -inf where none may be
                opened; each sentence has one that may.

        Returns:
            (batch,) int64.
        """

    def openable(self, opened: Tensor) -> Tensor:
        """Says how many more prefixes of each length may be opened.

        Args:
            opened: (batch, lengths) int64, prefixes opened so far.

        Returns:
            (batch, lengths) int64.
        """
        return torch.full_like(opened, self.nodes_at_once)

    def search(self, step: StepFunction, state: Any, memory: Any, task: Task) -> Found:
        """Searches one batch; see the base class."""
        first = self._first(step, state, memory, task)
        best, proved_above = self._search(step, state, memory, task, first)
        best = best.joined(first.without(best))
        weights = None
        if task.weights:
            symbols = torch.nn.functional.pad(best.ids, (0, 1))
            symbols.scatter_(2, best.lengths.unsqueeze(2), self.eos)
            counts = best.lengths + best.finished.long()
            weights = rescore(step, state, memory, symbols, counts, bos=self.bos, weights=True).weights
        optimal = best.scores >= proved_above.unsqueeze(1)
        return Found(best.ids, best.lengths, best.scores, best.scores, best.finished, weights, optimal=optimal)

    def _first(self, step: StepFunction, state: Any, memory: Any, task: Task) -> Best:
        """The outputs of a beam search without a length penalty."""
        beam = BeamSearch(
            bos=self.bos, eos=self.eos, banned=self.banned, constraints=self.constraints, max_length=self.max_length,
            max_length_ratio=self.max_length_ratio, max_length_constant=self.max_length_constant,
            min_length=self.min_length, size=max(self.start_size, self.num_hypotheses),
            num_hypotheses=self.num_hypotheses, stopping="optimal_bound",
        )  # fmt: skip
        found = beam.search(step, state, memory, task._replace(weights=False))
        longest = int(task.limits.max())
        ids = torch.nn.functional.pad(found.ids, (0, longest - found.ids.size(2)))
        beyond = torch.arange(longest, device=ids.device) >= found.lengths.unsqueeze(2)
        return Best(found.scores, ids.masked_fill(beyond, 0), found.lengths, found.finished)

    def _search(self, step: StepFunction, state: Any, memory: Any, task: Task, first: Best) -> tuple[Best, Tensor]:
        """Opens prefixes until every sentence is done; gives the best outputs and (batch,) what may be left above."""
        limits, device = task.limits, task.limits.device
        batch, shortest, longest = len(limits), int(limits.min()), int(limits.max())
        next_symbol = self.next_symbol(device, exact=task.exact)
        best = Best(*(part.clone() for part in first))
        best.scores.fill_(-torch.inf)
        heads = first.scores.new_full((batch, longest + 1), -torch.inf)
        left_out = heads[:, 0].clone()  # the best of those that were too many to be kept
        opened = torch.zeros_like(heads, dtype=torch.int64)
        spent = torch.zeros_like(limits)
        least = first.scores[:, -1] - ROUNDING.get(first.scores.dtype, 1e-4)
        bound = least.clone()
        levels: list[Level] = []
        rows, length = torch.arange(batch, device=device), 0
        root = limits.new_zeros((batch, 1, 0))
        nodes, previous = Opened(heads.new_zeros((batch, 1)), root, state), torch.full_like(limits, self.bos)
        while True:
            of_rows = memory if len(rows) == batch else select_rows(memory, rows)
            scores, after, _ = step(previous, nodes.state, of_rows)
            nodes = nodes._replace(state=after)
            log_probs = next_symbol(scores, length, limits.index_select(0, rows), after)
            sums = log_probs.unflatten(0, (len(rows), -1)) + nodes.values.unsqueeze(2)  # (rows, width, vocab)
            if not levels:
                most = self.budget * self.nodes_at_once
                levels = [Level(vocab=sums.size(2), most=most, like=bound) for _ in range(longest)]
            of_rows = Best(*select_rows(tuple(best), rows))
            of_rows = of_rows.joined(self._ended(sums, nodes.prefixes, longest))
            if length + 1 >= shortest:
                at_limit = limits.index_select(0, rows) == length + 1
                of_rows = of_rows.joined(self._cut(sums, nodes.prefixes, at_limit, longest))
                sums.masked_fill_(at_limit.view(-1, 1, 1), -torch.inf)
            for kept, new in zip(best, of_rows, strict=True):
                kept.index_copy_(0, rows, new)
            bound = torch.maximum(bound, best.scores[:, -1])
            if length + 1 < longest:
                too_many = levels[length].put(rows, sums.flatten(1), nodes, bound.index_select(0, rows))
                left_out = left_out.index_copy(0, rows, torch.maximum(left_out.index_select(0, rows), too_many))
                heads[:, length + 1] = levels[length].values[:, 0]
            spent.index_add_(0, rows, torch.ones_like(rows))
            allowed = self.openable(opened)
            may = heads.masked_fill((heads <= bound.unsqueeze(1)) | (allowed < 1), -torch.inf)
            may.masked_fill_((spent >= self.budget).unsqueeze(1), -torch.inf)
            waiting = (may > -torch.inf).any(1)
            wanted = self.next_length(may).masked_fill(~waiting, 0)
            counts = torch.bincount(wanted, minlength=1)
            counts[0] = 0  # only the empty prefix has that length, and it was opened first
            length = int(counts.argmax())
            if length == 0:
                return best, torch.maximum(left_out, heads.amax(1))
            rows = (wanted == length).nonzero().squeeze(1)
            level = levels[length - 1]
            of_rows = allowed[:, length].index_select(0, rows)
            nodes = level.take(rows, of_rows, self.nodes_at_once, bound.index_select(0, rows))
            heads[:, length] = level.values[:, 0]
            opened[:, length].index_add_(0, rows, (nodes.values > -torch.inf).sum(1))
            previous = nodes.prefixes[:, :, -1].flatten()

    def _ended(self, sums: Tensor, prefixes: Tensor, longest: int) -> Best:
        """The outputs that end after the opened prefixes, whose eos is no child from now on."""
        scores = sums[:, :, self.eos].clone()
        sums[:, :, self.eos] = -torch.inf
        ids = torch.nn.functional.pad(prefixes, (0, longest - prefixes.size(2)))
        lengths = torch.full_like(ids[:, :, 0], prefixes.size(2))
        return Best(scores, ids, lengths, torch.ones_like(lengths, dtype=torch.bool))

    def _cut(self, sums: Tensor, prefixes: Tensor, at_limit: Tensor, longest: int) -> Best:
        """The best outputs that one more symbol makes as long as the limit of their sentence is."""
        vocab, length = sums.size(2), prefixes.size(2)
        scores, places = top(sums.flatten(1), min(self.num_hypotheses, sums.size(1) * vocab))
        parents = places.div(vocab, rounding_mode="floor").unsqueeze(2).expand(-1, -1, length)
        ids = torch.cat((prefixes.gather(1, parents), places.remainder(vocab).unsqueeze(2)), 2)
        ids = torch.nn.functional.pad(ids, (0, longest - length - 1))
        lengths = torch.full_like(places, length + 1)
        scores = scores.masked_fill(~at_limit.unsqueeze(1), -torch.inf)
        return Best(scores, ids, lengths, torch.zeros_like(lengths, dtype=torch.bool))
