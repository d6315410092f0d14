"""Beam search: the best hypotheses of a fixed number that are kept alive, for all sentences at once."""

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from s2s_lab.decoding.backpointers import found_in
from s2s_lab.decoding.base import DecodingStrategy, Found
from s2s_lab.decoding.beam_state import BeamRecord, BeamState
from s2s_lab.decoding.beam_trace import tell
from s2s_lab.decoding.candidates import best_of_sentences
from s2s_lab.decoding.checks import whole_number
from s2s_lab.decoding.history import History
from s2s_lab.decoding.length_penalty import LengthPenalty, NoPenalty
from s2s_lab.decoding.state import look_due, staying
from s2s_lab.decoding.task import StepFunction, Task
from s2s_lab.faults import RequestError
from s2s_lab.nested import select_rows

STOPPING_RULES = ("outscored", "first_finished", "all_finished", "optimal_bound")
TRACKING_RULES = ("outscored", "optimal_bound")  # those that compare live hypotheses with the best finished ones


@dataclass(kw_only=True, eq=False)
class BeamSearch(DecodingStrategy):
    """Keeps `size` live hypotheses and collects those that finish.

    Each step takes the 2 x size best one-symbol continuations of all live hypotheses by log-probability (ties:
    the better parent, then the lower id). Those that end in eos finish if they rank among the first `size`;
    the best `size` of the others live on, so that finishing does not narrow the beam. Finished hypotheses are
    ranked by the length penalty's score (ties: the earlier one). At the length limit unfinished hypotheses
    compete with the finished ones, as finished=False. A sentence ends at its limit or by the stopping rule:

    - `outscored`: `num_hypotheses` have finished and no live one, scored at its present length, beats the worst of
      the best `num_hypotheses`; a live one that a penalty would still lift with its length may be given up.
    - `first_finished`: `num_hypotheses` hypotheses have finished.
    - `all_finished`: `size` hypotheses have finished. A confident model then often ends with poor ones: at every
      step one of the candidates may end early, and `size` of those outrun the best hypothesis.
    - `optimal_bound`: `num_hypotheses` have finished and no live one can beat the worst of the best
      `num_hypotheses`, by the penalty's bound; the result is that of searching on up to the limit. Where a constraint
      may lift a hypothesis no bound is known, and the search does go on to the limit.

    Under soft constraints all this ranks by sums of the values that they give; what is reported as log-probability is
    the sum of the model's own along the way back. Without a penalty or with another rule than optimal_bound, size 1 is
    greedy search. Sentences that ended leave the batch by the rule of `state.room_for`.

    A variant gives `candidates`, where it chooses differently among the continuations, or `advance`, where it makes
    another step of them; what it keeps for that begins in `start` and lives in `BeamState.of_variant`.

    Paper: Graves 2012, arXiv 1211.3711; Sutskever, Vinyals, Le 2014, arXiv 1409.3215, section 3.2.
    Deviation: there a finished hypothesis gives up its place in the beam.

    Attributes:
        size: live hypotheses, at least 1.
        length_penalty: from log-probability and length to score; None for `NoPenalty`.
        num_hypotheses: how many are returned, at most size.
        stopping: one of `STOPPING_RULES`.

    Raises:
        RequestError: an option is out of its range.
    """

    name = "beam"
    takes_soft = True
    traces = True

    size: int = 5
    length_penalty: LengthPenalty = field(default_factory=NoPenalty)
    num_hypotheses: int = 1
    stopping: Literal["outscored", "first_finished", "all_finished", "optimal_bound"] = "outscored"

    def __post_init__(self) -> None:
        """Checks the options."""
        super().__post_init__()
        whole_number("size", self.size, 1)
        whole_number("num_hypotheses", self.num_hypotheses, 1)
        if not isinstance(self.length_penalty, LengthPenalty):
            raise RequestError(
                f"decoding.length_penalty is {self.length_penalty!r}, expected a LengthPenalty, such as NoPenalty"
            )
        if self.num_hypotheses > self.size:
            raise RequestError(
                f"decoding.num_hypotheses is {self.num_hypotheses}, expected at most decoding.size ({self.size})"
            )
        if self.stopping not in STOPPING_RULES:
            raise RequestError(f"decoding.stopping is {self.stopping!r}, expected one of {', '.join(STOPPING_RULES)}")
        self.constraints = tuple(each.scored_with(self.length_penalty.divisor) for each in self.constraints)

    def options(self) -> tuple[str, ...]:
        """Returns size, penalty, stopping rule and the n of n-best."""
        return (
            f"size:{self.size}",
            f"norm:{self.length_penalty.name}",
            f"stop:{self.stopping}",
            f"nbest:{self.num_hypotheses}",
        )

    def search(self, step: StepFunction, state: Any, memory: Any, task: Task) -> Found:
        """Searches one batch; see the base class. The first step has one row for each sentence, later ones size."""
        limits = task.limits
        device, on_accelerator = limits.device, limits.device.type != "cpu"
        next_symbol = self.next_symbol(device, exact=task.exact)
        history = History(len(limits), device)
        shortest, longest = torch.stack(torch.aminmax(limits)).tolist()
        beam, record, vocab = None, None, 0
        for t in range(longest):
            previous = torch.full_like(limits, self.bos) if beam is None else beam.ids
            scores, state, attention = step(previous, state, memory)
            log_probs = next_symbol(scores, t, limits if beam is None else beam.limits, state)
            vocab = log_probs.size(1)
            before = self.start(limits, log_probs) if beam is None else beam
            width = before.live.size(1)
            seen = self._seen(before, log_probs) if task.trace is not None else {}
            beam, codes, live_codes, ending = self.advance(before, log_probs, t, t + 1 >= shortest)
            record = BeamRecord(~before.done, ending, codes, beam.live, live_codes, **seen)
            if task.weights and attention is not None:
                by_slot = attention.view(-1, width, attention.size(-1)).expand(-1, self.size, -1)
                record = record._replace(attention=by_slot)
            if task.trace is not None or next_symbol.own is not None:
                record = record.with_own(log_probs if next_symbol.own is None else next_symbol.own)
            history.record(*record.present())
            parents = live_codes.div(vocab, rounding_mode="floor")
            rows = parents + torch.arange(0, len(parents) * width, width, device=device).unsqueeze(1)
            kept = staying(beam.done) if look_due(t, on_accelerator) else None
            if kept is not None:
                if len(kept) == 0:
                    break
                history.keep(kept)
                rows, memory, beam = rows.index_select(0, kept), select_rows(memory, kept), beam.staying(kept)
            state = select_rows(state, rows.flatten())
        assert record is not None  # every limit is at least 1
        record = record.filled(history.stack())
        if task.trace is not None:
            tell(task.trace, record, task.sentence_index, self.length_penalty, vocab)
        if next_symbol.own is None:  # the sums of the search are the model's own
            record = record._replace(ending_own=None, live_own=None)
        return found_in(record, limits, self.length_penalty, self.num_hypotheses, vocab)

    def start(self, limits: Tensor, log_probs: Tensor) -> BeamState:
        """Starts with the one empty hypothesis of each sentence.

        Args:
            limits: (batch,) int64.
            log_probs: (batch, vocab) of the first step.
        """
        tracked = self.num_hypotheses if self.stopping in TRACKING_RULES else 0
        return BeamState(
            live=log_probs.new_zeros((len(limits), 1)),
            ids=torch.full_like(limits, self.bos),
            limits=limits,
            count=torch.zeros_like(limits),
            kept=log_probs.new_full((len(limits), tracked), -torch.inf),
            done=torch.zeros_like(limits, dtype=torch.bool),
        )

    def advance(
        self, beam: BeamState, log_probs: Tensor, t: int, limits_near: bool
    ) -> tuple[BeamState, Tensor, Tensor, Tensor]:
        """Makes one step of the search for all sentences.

        Args:
            beam: the search before the step.
            log_probs: (batch x width, vocab).
            t: the step, from 0.
            limits_near: whether any sentence may reach its limit.

        Returns:
            The search after the step; the codes parent x vocab + id of the first size candidates and of the
            live ones, each (batch, size); the log-probabilities of those of the first size candidates that
            finished (batch, size), -inf elsewhere.
        """
        size, vocab = self.size, log_probs.size(1)
        count = min(2 * size, beam.live.size(1) * vocab)
        sums, codes = self.candidates(log_probs, beam.live, count)
        sums, codes = self._filled_up(sums, codes)
        ends = codes.remainder(vocab) == self.eos
        ending = sums[:, :size].masked_fill(~ends[:, :size], -torch.inf)
        order = ends.byte().sort(dim=-1, stable=True).indices[:, :size]  # the others first, in their order
        live = sums.gather(1, order).masked_fill(ends.gather(1, order), -torch.inf)
        live_codes = codes.gather(1, order)
        finished = beam.count + (ending > -torch.inf).sum(1)
        kept = beam.kept
        if self.stopping in TRACKING_RULES:
            scores = self.length_penalty.score(ending, t + 1)
            kept = torch.cat((kept, scores), 1).topk(self.num_hypotheses, -1).values
            done = beam.done | (kept[:, -1] >= self._best_to_come(live[:, 0], t, beam.limits))
        else:
            enough = self.num_hypotheses if self.stopping == "first_finished" else size
            done = beam.done | (finished >= enough)
        if limits_near:
            done |= beam.limits <= t + 1
        ids = live_codes.remainder(vocab).flatten()
        return BeamState(live, ids, beam.limits, finished, kept, done), codes[:, :size], live_codes, ending

    def candidates(self, log_probs: Tensor, live: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Chooses the best one-symbol continuations of each sentence's live hypotheses.

        Args:
            log_probs: (batch x width, vocab).
            live: (batch, width) log-probabilities, -inf for a dead one.
            count: how many; at most width x vocab.

        Returns:
            Summed log-probabilities (batch, count), best first, and codes parent x vocab + id (batch, count) int64.
        """
        return best_of_sentences(log_probs, live, count)

    def merged_into(self, beam: BeamState, log_probs: Tensor, codes: Tensor) -> Tensor:
        """Says for a trace which other candidates took the places of some, being better and of the same kind.

        Args:
            beam: the search before the step.
            log_probs: (batch x width, vocab).
            codes: (batch, count) int64, of the candidates.

        Returns:
            (batch, count) int64, codes of the better ones; of a candidate that was not merged its own.
        """
        return codes

    def _filled_up(self, sums: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Where the space is smaller than the beam, dead candidates that are not eos fill the 2 x size places."""
        missing = 2 * self.size - sums.size(1)
        if missing == 0:
            return sums, codes
        pad = torch.nn.functional.pad
        return pad(sums, (0, missing), value=-torch.inf), pad(codes, (0, missing), value=int(self.eos == 0))

    def _seen(self, beam: BeamState, log_probs: Tensor) -> dict[str, Tensor]:
        """Gives a trace the 2 x size best candidates by log-probability, whatever a variant chooses among."""
        count = min(2 * self.size, beam.live.size(1) * log_probs.size(1))
        sums, codes = self._filled_up(*best_of_sentences(log_probs, beam.live, count))
        return {"seen": codes, "seen_sums": sums, "seen_into": self.merged_into(beam, log_probs, codes)}

    def _best_to_come(self, live: Tensor, t: int, limits: Tensor) -> Tensor:
        """Scores the best live log-probabilities (batch,) as the stopping rule sees what they may become."""
        if self.stopping == "optimal_bound" and any(each.lifts for each in self.constraints):
            return torch.full_like(live, torch.inf)
        if self.stopping == "optimal_bound":
            return self.length_penalty.bound(live, limits)
        return self.length_penalty.score(live, t + 1)
