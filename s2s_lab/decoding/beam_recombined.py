"""Beam search with recombination: of live hypotheses that end alike only the best goes on."""

from dataclasses import dataclass

import torch
from torch import Tensor

from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.beam_state import BeamState
from s2s_lab.decoding.checks import whole_number


@dataclass(kw_only=True, eq=False)
class RecombinedBeamSearch(BeamSearch):
    """Takes hypotheses of one sentence whose last `last` symbols are equal for equivalent and keeps the best of them.

    The places of those that are merged go to the next best candidates. A beginning is preceded by as many bos as it
    takes. Hypotheses that end in eos are not merged: nothing follows them. A step looks at every continuation of every
    hypothesis and so costs a few more passes over size x vocab numbers than one of `BeamSearch`.

    Where the next symbol depends on no more than the last `last` symbols and the position, and the beam has a place for
    each value that these take and one for an end, `optimal_bound` never loses the best output: the search is Viterbi's.

    Paper: Zhang, Wang, Utiyama, Sumita, Zhao 2018, arXiv 1808.08482, n-gram suffixes. Deviation: all live hypotheses
    are equally long, so that the limit on their difference in length, which the paper has besides, always holds.

    Attributes:
        last: symbols that must be equal, at least 1.

    Raises:
        RequestError: an option is out of its range.
    """

    name = "beam_recombined"

    last: int = 4

    def __post_init__(self) -> None:
        """Checks the options."""
        super().__post_init__()
        whole_number("last", self.last, 1)

    def options(self) -> tuple[str, ...]:
        """Returns those of beam search and the number of symbols."""
        return (*super().options(), f"last:{self.last}")

    def start(self, limits: Tensor, log_probs: Tensor) -> BeamState:
        """Starts with nothing but bos, the last symbols of each hypothesis being (batch, width, last - 1)."""
        symbols = limits.new_full((len(limits), 1, self.last - 1), self.bos)
        return super().start(limits, log_probs)._replace(of_variant=symbols)

    def advance(
        self, beam: BeamState, log_probs: Tensor, t: int, limits_near: bool
    ) -> tuple[BeamState, Tensor, Tensor, Tensor]:
        """Makes one step of beam search over the candidates that yield to no other one; see the base class."""
        yielding = self._stronger(beam, log_probs) != self._slots(beam)
        remaining = log_probs.view(yielding.shape).masked_fill(yielding, -torch.inf).view_as(log_probs)
        after, codes, live_codes, ending = super().advance(beam, remaining, t, limits_near)
        parents = live_codes.div(log_probs.size(1), rounding_mode="floor").unsqueeze(2)
        symbols = beam.of_variant.gather(1, parents.expand(-1, -1, self.last - 1))
        symbols = torch.cat((symbols, after.ids.view(len(codes), -1, 1)), 2)[:, :, 1:]
        return after._replace(of_variant=symbols), codes, live_codes, ending

    def merged_into(self, beam: BeamState, log_probs: Tensor, codes: Tensor) -> Tensor:
        """Gives the candidates that others yield to; see the base class."""
        vocab = log_probs.size(1)
        stronger = self._stronger(beam, log_probs).flatten(1).gather(1, codes)
        return stronger * vocab + codes.remainder(vocab)

    def _slots(self, beam: BeamState) -> Tensor:
        """Numbers the hypotheses, (1, width, 1)."""
        return torch.arange(beam.live.size(1), device=beam.live.device).view(1, -1, 1)

    def _stronger(self, beam: BeamState, log_probs: Tensor) -> Tensor:
        """Finds whom each candidate yields to: the best with the same last symbols, in a tie of the better parent.

        Args:
            beam: the search before the step.
            log_probs: (batch x width, vocab).

        Returns:
            (batch, width, vocab) int64, slots of that one's parent; the own slot where it yields to none.
        """
        slots, width = self._slots(beam), beam.live.size(1)
        sums = log_probs.view(len(beam.live), width, -1) + beam.live.unsqueeze(2)
        symbols: Tensor = beam.of_variant
        alike = (symbols.unsqueeze(2) == symbols.unsqueeze(1)).all(-1)
        groups = slots.view(1, 1, -1).where(alike, width).amin(2)  # each by the first of its slots
        groups = groups.unsqueeze(2).expand_as(sums)
        best = torch.full_like(sums, -torch.inf).scatter_reduce_(1, groups, sums, "amax").gather(1, groups)
        first = slots.where(sums == best, width)
        first = torch.full_like(first, width).scatter_reduce_(1, groups, first, "amin").gather(1, groups)
        first[:, :, self.eos] = slots.squeeze(2)
        return first
