"""Diverse beam search: groups of a beam, each of which avoids the symbols that the ones before it have chosen."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from s2s_lab.decoding.ancestry import walk_back, weights_of
from s2s_lab.decoding.backpointers import best_ends, laid_out
from s2s_lab.decoding.base import Found
from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.beam_state import BeamRecord, BeamState
from s2s_lab.decoding.candidates import top
from s2s_lab.decoding.checks import at_least, whole_number
from s2s_lab.decoding.history import History
from s2s_lab.decoding.state import look_due, staying
from s2s_lab.decoding.task import StepFunction, Task
from s2s_lab.faults import RequestError
from s2s_lab.nested import select_rows


class Groups(NamedTuple):
    """What one step of the search hands to the next.

    Attributes:
        beams: of each group; sums and scores are those with the diversity terms. Their `ids` are not read.
        log_probs: (batch, width) the model's own sums of the live hypotheses, group after group.
        ids: (batch, width) int64, their last symbols.
    """

    beams: tuple[BeamState, ...]
    log_probs: Tensor
    ids: Tensor


class Taken(NamedTuple):
    """What one step chose; a place is one of all groups' `size` places, a code place x vocab + id.

    Attributes:
        active: (batch, groups) bool, whether the group was still searching.
        ending: (batch, size) sums of the first candidates that finished, -inf elsewhere.
        ending_own: (batch, size) the model's own.
        codes: (batch, size) int64, of the first candidates.
        live: (batch, size) sums of the hypotheses that live on.
        live_own: (batch, size) the model's own.
        live_codes: (batch, size) int64.
    """

    active: Tensor
    ending: Tensor
    ending_own: Tensor
    codes: Tensor
    live: Tensor
    live_own: Tensor
    live_codes: Tensor


@dataclass(kw_only=True, eq=False)
class DiverseBeamSearch(BeamSearch):
    """Splits the beam into groups that search one after the other at each step, each a `BeamSearch` of its own.

    From a symbol's log-probability a group takes strength x (number of live hypotheses of the groups before it that
    chose the symbol at this step); what is taken stays in the hypothesis' sum, which ranks it and which the length
    penalty turns into its score. Reported log-probabilities are the model's own. The size is shared out evenly, the
    first groups getting what is left over; each group stops by the rule and gives its best hypotheses, at most
    `num_hypotheses` and its size; those of all groups are returned by score. An output that several groups found is
    returned once, so there may be fewer than `num_hypotheses`. One group is beam search.

    Paper: Vijayakumar et al. 2016, arXiv 1610.02424, algorithm 1 with Hamming diversity and one strength. Deviation:
    eos is not penalised, as finished hypotheses leave the beam.

    Attributes:
        groups: at least 1, at most size.
        strength: natural log units for each earlier choice of a symbol (lambda in the paper), at least 0.

    Raises:
        RequestError: an option is out of its range.
    """

    name = "diverse_beam"
    takes_soft: ClassVar[bool] = False
    traces: ClassVar[bool] = False

    groups: int = 5
    strength: float = 0.5

    def __post_init__(self) -> None:
        """Checks the options and makes the searches of the groups."""
        super().__post_init__()
        whole_number("groups", self.groups, 1)
        at_least("strength", self.strength, 0)
        if self.groups > self.size:
            raise RequestError(f"decoding.groups is {self.groups}, expected at most decoding.size ({self.size})")
        sizes = [self.size // self.groups + (group < self.size % self.groups) for group in range(self.groups)]
        self._starts = [sum(sizes[:group]) for group in range(self.groups)]
        self._searches = [
            BeamSearch(
                bos=self.bos,
                eos=self.eos,
                size=size,
                length_penalty=self.length_penalty,
                num_hypotheses=min(size, self.num_hypotheses),
                stopping=self.stopping,
            )
            for size in sizes
        ]

    def options(self) -> tuple[str, ...]:
        """Returns those of beam search, groups and strength."""
        return (*super().options(), f"groups:{self.groups}", f"strength:{self.strength:g}")

    def search(self, step: StepFunction, state: Any, memory: Any, task: Task) -> Found:
        """Searches one batch; see the base class. The first step has one row for each sentence, later ones size."""
        limits = task.limits
        device, on_accelerator = limits.device, limits.device.type != "cpu"
        next_symbol = self.next_symbol(device, exact=task.exact)
        history = History(len(limits), device)
        shortest, longest = torch.stack(torch.aminmax(limits)).tolist()
        groups, ids, ends, vocab = None, torch.full_like(limits, self.bos).unsqueeze(1), limits, 0
        for t in range(longest):
            scores, state, attention = step(ids.flatten(), state, memory)
            log_probs = next_symbol(scores, t, ends, state)
            vocab, width = log_probs.size(1), ids.size(1)
            groups, taken = self._advance(groups or self._begin(limits, log_probs), log_probs, t, t + 1 >= shortest)
            shown = ()
            if task.weights and attention is not None:
                shown = (attention.unflatten(0, (-1, width)).expand(-1, self.size, -1),)
            history.record(*taken, *shown)
            parents = taken.live_codes.div(vocab, rounding_mode="floor")
            rows = parents + torch.arange(0, len(parents) * width, width, device=device).unsqueeze(1)
            looking = look_due(t, on_accelerator)
            kept = staying(torch.stack([beam.done for beam in groups.beams]).all(0)) if looking else None
            if kept is not None:
                if len(kept) == 0:
                    break
                history.keep(kept)
                rows, memory, groups = select_rows((rows, memory, groups), kept)
            state, ids, ends = select_rows(state, rows.flatten()), groups.ids, groups.beams[0].limits
        return self._found(history, limits, vocab)

    def _begin(self, limits: Tensor, log_probs: Tensor) -> Groups:
        """Starts every group with the one empty hypothesis of each sentence."""
        beams = tuple(search.start(limits, log_probs) for search in self._searches)
        return Groups(beams, beams[0].live, limits.unsqueeze(1))

    def _advance(self, groups: Groups, log_probs: Tensor, t: int, limits_near: bool) -> tuple[Groups, Taken]:
        """Makes one step of all groups, each knowing what the ones before it chose.

        Args:
            groups: the search before the step.
            log_probs: (batch x width, vocab).
            t: the step, from 0.
            limits_near: whether any sentence may reach its limit.

        Returns:
            The search after the step and what it chose.
        """
        vocab = log_probs.size(1)
        batch, width = groups.log_probs.shape
        by_place = log_probs.view(batch, width, vocab)
        chosen = log_probs.new_zeros((batch, vocab))  # how many live hypotheses of earlier groups took each symbol
        beams, parts = [], []
        for search, beam, start in zip(self._searches, groups.beams, self._starts, strict=True):
            first = start if width == self.size else 0  # at the first step all groups share one place
            own_width = beam.live.size(1)
            augmented = by_place[:, first : first + own_width].reshape(-1, vocab)
            if start > 0:
                augmented = augmented - self.strength * chosen.repeat_interleave(own_width, 0)
            after, codes, live_codes, ending = search.advance(beam, augmented, t, limits_near)
            lives = (after.live > -torch.inf) & ~beam.done.unsqueeze(1)
            chosen.scatter_add_(1, live_codes.remainder(vocab), lives.to(chosen.dtype))
            beams.append(after._replace(ids=beam.limits))
            parts.append((ending, codes + first * vocab, after.live, live_codes + first * vocab))
        ending, codes, live, live_codes = (torch.cat(part, 1) for part in zip(*parts, strict=True))
        ending_own, live_own = (
            groups.log_probs.gather(1, code.div(vocab, rounding_mode="floor")) + by_place.flatten(1).gather(1, code)
            for code in (codes, live_codes)
        )
        active = ~torch.stack([beam.done for beam in groups.beams], 1)
        taken = Taken(active, ending, ending_own, codes, live, live_own, live_codes)
        return Groups(tuple(beams), live_own, live_codes.remainder(vocab)), taken

    def _found(self, history: History, limits: Tensor, vocab: int) -> Found:
        """Brings the groups' best hypotheses together, each output once, and walks back to read their ids."""
        stacked = history.stack()
        taken, shown = Taken(*stacked[:7]), stacked[7:]  # each (steps, batch, ...)
        ends = [self._ends(taken, group, limits, vocab) for group in range(self.groups)]
        scores, log_probs, lengths, finished, places = (torch.cat(part, 1) for part in zip(*ends, strict=True))
        scores, order = top(scores, scores.size(1))
        log_probs, lengths, finished, places = (p.gather(1, order) for p in (log_probs, lengths, finished, places))
        steps = torch.arange(len(taken.live), device=limits.device).view(-1, 1, 1)
        path = walk_back(taken.live_codes.div(vocab, rounding_mode="floor"), steps < lengths, places)
        symbols = taken.live_codes.gather(2, path[1:]).remainder(vocab)
        known = symbols.masked_fill(steps >= lengths, -1).permute(1, 2, 0)  # (batch, hypotheses, steps)
        same = (known.unsqueeze(1) == known.unsqueeze(2)).all(-1) & (finished.unsqueeze(1) == finished.unsqueeze(2))
        again = (same.tril(-1) & (scores > -torch.inf).unsqueeze(1)).any(-1)
        scores, order = top(scores.masked_fill(again, -torch.inf), self.num_hypotheses)
        return Found(
            ids=symbols.permute(1, 2, 0).gather(1, order.unsqueeze(2).expand(-1, -1, len(steps))),
            lengths=lengths.gather(1, order),
            log_probs=log_probs.gather(1, order),
            scores=scores,
            finished=finished.gather(1, order),
            weights=weights_of(shown[0], path[:-1].gather(2, order.expand(len(steps), -1, -1))) if shown else None,
        )

    def _ends(self, taken: Taken, group: int, limits: Tensor, vocab: int) -> tuple[Tensor, ...]:
        """Ranks what one group finished or had at the limit.

        Returns:
            Of its best hypotheses, each (batch, n): scores, log-probabilities, lengths without eos, whether finished,
            and the place of the last symbol that is not eos.
        """
        search, start = self._searches[group], self._starts[group]
        own = slice(start, start + search.size)
        active = taken.active[:, :, group]
        ending, ending_own, codes, live, live_own, live_codes = (part[:, :, own] for part in taken[1:])
        record = BeamRecord(active, ending, codes, live, live_codes)
        ends = best_ends(record, limits, self.length_penalty, search.num_hypotheses, vocab)
        log_probs = laid_out(ending_own, live_own, active).gather(1, ends.places)
        places = torch.where(ends.finished, ends.slots, ends.slots + start)  # an eos names its parent among all places
        return ends.scores, log_probs, ends.lengths - ends.finished.long(), ends.finished, places
