"""Sibling-diverse beam search: a continuation is ranked lower the more of its siblings are better."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from s2s_lab.decoding import filters
from s2s_lab.decoding.beam import TRACKING_RULES, BeamSearch
from s2s_lab.decoding.beam_state import BeamState
from s2s_lab.decoding.candidates import top
from s2s_lab.decoding.checks import at_least


@dataclass(kw_only=True, eq=False)
class SiblingBeamSearch(BeamSearch):
    """Beam search that chooses by log-probability - gamma x (rank among the continuations of the same hypothesis).

    Ranks begin at 1, equal continuations going in the order of their ids. The penalty counts at the step where
    continuations are chosen and is not carried on: log-probabilities, scores, length penalties and stopping rules are
    those of `BeamSearch`, and gamma 0 is that search.

    Paper: Li, Monroe, Jurafsky 2016, arXiv 1611.08562, equation 3, with one gamma for all sentences. Deviation:
    finished hypotheses leave the beam and are ranked as in `BeamSearch`.

    Attributes:
        gamma: natural log units for each better sibling, at least 0.

    Raises:
        RequestError: an option is out of its range.
    """

    name = "sibling_beam"
    traces: ClassVar[bool] = False

    gamma: float = 0.5

    def __post_init__(self) -> None:
        """Checks the options."""
        super().__post_init__()
        at_least("gamma", self.gamma, 0)

    def options(self) -> tuple[str, ...]:
        """Returns those of beam search and gamma."""
        return (*super().options(), f"gamma:{self.gamma:g}")

    def candidates(self, log_probs: Tensor, live: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Chooses the continuations by their penalised sums; see the base class. Best first by these, not by the sums.

        A hypothesis' first `count` continuations are enough, as their penalties only grow.
        """
        batch, width = live.shape
        values, ids = filters.top_k(log_probs, count)  # (batch x width, children), best first
        children = values.size(1)
        sums = values.view(batch, width, children) + live.unsqueeze(2)
        ranks = torch.arange(1, children + 1, device=sums.device, dtype=sums.dtype)
        _, places = top((sums - self.gamma * ranks).flatten(1), count)
        parents = places.div(children, rounding_mode="floor")
        codes = parents * log_probs.size(1) + ids.reshape(batch, -1).gather(1, places)
        return sums.flatten(1).gather(1, places), codes

    def advance(
        self, beam: BeamState, log_probs: Tensor, t: int, limits_near: bool
    ) -> tuple[BeamState, Tensor, Tensor, Tensor]:
        """Makes one step; see the base class. The best live hypothesis, which the rules look at, may be any of them."""
        after, codes, live_codes, ending = super().advance(beam, log_probs, t, limits_near)
        if self.stopping in TRACKING_RULES:
            best = self._best_to_come(after.live.amax(1), t, beam.limits)
            done = beam.done | (after.kept[:, -1] >= best)
            after = after._replace(done=done | (beam.limits <= t + 1) if limits_near else done)
        return after, codes, live_codes, ending
