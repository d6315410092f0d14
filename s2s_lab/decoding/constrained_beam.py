"""Beam search whose outputs contain the phrases that are asked for."""

import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from s2s_lab.decoding.base import Found
from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.candidates import best_of_sentences
from s2s_lab.decoding.constraints.base import Constraint, constrained_step
from s2s_lab.decoding.phrases import PhraseAutomaton, PhraseTables
from s2s_lab.decoding.task import StepFunction, Task
from s2s_lab.faults import RequestError


class RequiredPhrases(Constraint):
    """Forbids to end before all phrases of the sentence are met, and what leaves too few steps to meet them.

    Args:
        task: the search's, with required phrases.
        eos: id that ends a hypothesis.

    Raises:
        RequestError: a sentence's limit does not allow its phrases, or they are too many.
    """

    def __init__(self, task: Task, eos: int) -> None:
        device, required = task.limits.device, task.demands.required or ()
        self._tables = PhraseTables([PhraseAutomaton.of(phrases) for phrases in required], eos, device)
        self._eos = eos
        self._room = task.limits - int(task.exact)  # of symbols without eos; a cut output has no eos
        self._rows = (torch.empty(0), torch.empty(0))
        for needed, room, sentence in zip(
            self._tables.distance[:, 0].tolist(), self._room.tolist(), task.sentence_index.tolist(), strict=True
        ):
            if needed > room:
                raise RequestError(
                    f"sentence {sentence}: its required phrases take at least {needed} symbols, "
                    f"expected at most {room}, the limit of its output"
                )

    def signature(self) -> str:
        """Returns the name."""
        return "required"

    def start(self, task: Task) -> Any:
        """Starts with the first state of each sentence's automaton; see the base class."""
        return torch.arange(len(task.limits), device=task.limits.device), torch.zeros_like(task.limits)

    def advance(self, state: Any, previous_ids: Tensor, weights: Tensor | None) -> Any:
        """Reads the symbol; bos is none of a phrase; see the base class."""
        sentences, states = state
        return sentences, self._tables.after(sentences, states, previous_ids)

    def adjust(self, log_probs: Tensor, state: Any, step: int) -> None:
        """Forbids what cannot become an output with all phrases; see the base class."""
        self._rows = sentences, states = state
        names, distances = self._tables.symbols[sentences], self._tables.distance[sentences]
        far = distances.gather(1, self._tables.following[sentences, states])  # (rows, symbols + 1)
        far = far > (self._room[sentences] - (step + 1)).unsqueeze(1)
        ending = log_probs[:, self._eos].masked_fill(self.missing() > 0, -torch.inf)
        named = log_probs.gather(1, names).masked_fill_(far[:, :-1], -torch.inf)
        log_probs.masked_fill_(far[:, -1:], -torch.inf).scatter_(1, names, named)
        log_probs[:, self._eos] = ending

    def missing(self) -> Tensor:
        """Counts the symbols that the rows adjusted last still need at least: (rows,) int64."""
        sentences, states = self._rows
        return self._tables.distance[sentences, states]

    def towards(self) -> tuple[Tensor, Tensor]:
        """Names the symbols of the phrases for the rows adjusted last.

        Returns:
            Ids (rows, symbols) int64, and whether fewer symbols are missing after each (rows, symbols); not after
            eos, which fills up the ids.
        """
        sentences, states = self._rows
        names, following = self._tables.symbols[sentences], self._tables.following[sentences, states, :]
        nearer = self._tables.distance[sentences].gather(1, following[:, :-1]) < self.missing().unsqueeze(1)
        return names, nearer & (names != self._eos)

    def missing_after(self, rows: Tensor, ids: Tensor) -> Tensor:
        """Counts the symbols that are missing after continuing rows (batch, candidates) by ids of that shape."""
        sentences, states = (part[rows.flatten()] for part in self._rows)
        after = self._tables.after(sentences, states, ids.flatten())
        return self._tables.distance[sentences, after].view_as(ids)


@dataclass(kw_only=True, eq=False)
class ConstrainedBeam(BeamSearch):
    """Beam search whose places are shared out among hypotheses that have met more and fewer of the required phrases.

    Every output, finished or cut, contains each required phrase of its sentence: ending is forbidden before, and so is
    any symbol after which the steps left would be too few. Phrases may overlap; the same phrase asked for twice is
    asked for once. A sentence without required phrases is searched as by beam search.

    The candidates of a step are the best `size` of all, the best symbol of each hypothesis, each symbol that leads a
    hypothesis towards its phrases, and each eos. Those after which equally many symbols are missing are a bank. Places
    are given in rounds, in each one to the best candidate that is left in each bank, the fewest missing symbols first;
    so what a bank cannot fill goes to the others. As in beam search an eos among the first `size` finishes, and the
    first `size` others live on.

    Paper: Post, Vilar 2018, arXiv 1804.06609, algorithm 2 (dynamic beam allocation), vectorised as in Hu et al. 2019,
    "Improved Lexically Constrained Decoding for Translation and Monolingual Rewriting", NAACL. Deviation: an automaton
    of all phrases tells the progress, where theirs counts met symbols and unwinds a phrase that was left; a bank is the
    number of symbols still missing at least.

    Raises:
        RequestError: an option is out of its range.
    """

    name = "constrained_beam"
    meets = frozenset({"required"})

    _phrases: RequiredPhrases | None = field(init=False, repr=False, default=None)

    def search(self, step: StepFunction, state: Any, memory: Any, task: Task) -> Found:
        """Searches one batch; see the base class.

        Raises:
            RequestError: a sentence's limit does not allow its phrases, or they are too many.
        """
        if not any(task.demands.required or ()):
            return super().search(step, state, memory, task)
        allocated = copy.copy(self)
        allocated._phrases = phrases = RequiredPhrases(task, self.eos)
        allocated.constraints = (*self.constraints, phrases)
        if not self.constraints:
            step, state = constrained_step(step, ()), (state, ())

        def tracked(previous_ids: Tensor, state: Any, memory: Any) -> tuple[Tensor, Any, Tensor | None]:
            inner, (*kept, own) = state
            scores, (inner, others), weights = step(previous_ids, (inner, tuple(kept)), memory)
            return scores, (inner, (*others, phrases.advance(own, previous_ids, weights))), weights

        inner, kept = state
        return super(ConstrainedBeam, allocated).search(tracked, (inner, (*kept, phrases.start(task))), memory, task)

    def candidates(self, log_probs: Tensor, live: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Chooses by banks: first those that finish, then those that live on, each best first; see the base class."""
        if self._phrases is None:
            return super().candidates(log_probs, live, count)
        proposed = self._proposed(self._phrases, log_probs, live)
        order = proposed[1].argsort(dim=-1, stable=True)  # so that ties fall as in beam search
        sums, codes, ends, missing = (part.gather(1, order) for part in proposed)
        sums, order = sums.sort(dim=-1, descending=True, stable=True)
        codes, ends, missing = (part.gather(1, order) for part in (codes, ends, missing))
        possible = sums > -torch.inf
        finishing = possible & ends & (turns(missing, possible) < self.size)
        living = possible & ~ends
        living &= turns(missing, living) < self.size
        groups = torch.where(finishing, 0, torch.where(living, 1, 2))
        sums = sums.masked_fill(groups == 2, -torch.inf)
        order = groups.sort(dim=-1, stable=True).indices[:, :count]
        sums, codes = sums.gather(1, order), codes.gather(1, order)
        lacking = count - order.size(1)  # dead candidates that are not eos fill the places
        sums = torch.nn.functional.pad(sums, (0, lacking), value=-torch.inf)
        return sums, torch.nn.functional.pad(codes, (0, lacking), value=int(self.eos == 0))

    def _proposed(
        self, phrases: RequiredPhrases, log_probs: Tensor, live: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The candidates of a step, none twice: sums, codes, whether they end, symbols missing after them."""
        batch, width = live.shape
        vocab = log_probs.size(1)
        ends_of_rows = log_probs[:, self.eos].view(batch, width) + live
        names, nearer = phrases.towards()
        named = log_probs.gather(1, names)
        towards = named.masked_fill(~nearer, -torch.inf).view(batch, width, -1) + live.unsqueeze(2)
        others = log_probs.scatter(1, names, named.masked_fill(nearer, -torch.inf))
        others[:, self.eos] = -torch.inf
        slots = torch.arange(0, width * vocab, vocab, device=live.device)
        best, best_codes = best_of_sentences(others, live, min(self.size, width * vocab))
        first, ids = others.max(-1)
        first, first_codes = first.view(batch, width) + live, slots + ids.view(batch, width)
        first = first.masked_fill((first_codes.unsqueeze(2) == best_codes.unsqueeze(1)).any(2), -torch.inf)
        sums = torch.cat((best, first, towards.flatten(1), ends_of_rows), 1)
        toward_codes = slots.view(1, -1, 1) + names.view(batch, width, -1)
        codes = (best_codes, first_codes, toward_codes.flatten(1), (slots + self.eos).expand(batch, -1))
        codes = torch.cat(codes, 1)
        ids = codes.remainder(vocab)
        rows = torch.arange(0, batch * width, width, device=live.device).unsqueeze(1)
        missing = phrases.missing_after(rows + codes.div(vocab, rounding_mode="floor"), ids)
        return sums, codes, ids == self.eos, missing


def turns(banks: Tensor, possible: Tensor) -> Tensor:
    """Gives each candidate its turn when one of each bank is taken in every round, the lowest bank first.

    Args:
        banks: (batch, candidates) int64, of candidates that are best first.
        possible: (batch, candidates) bool; the others come last.

    Returns:
        (batch, candidates) int64, from 0, each once.
    """
    places = torch.arange(banks.size(1), device=banks.device).expand_as(banks)
    most = int(banks.max()) + 1
    grouped, order = torch.where(possible, banks, most).sort(dim=-1, stable=True)
    begins = torch.nn.functional.pad(grouped[:, 1:] != grouped[:, :-1], (1, 0), value=True)
    rounds = places - torch.where(begins, places, 0).cummax(-1).values
    keys = torch.where(grouped == most, most * banks.size(1), rounds * most) + grouped
    taken = order.gather(1, keys.sort(dim=-1, stable=True).indices)
    return torch.empty_like(taken).scatter_(1, taken, places)
