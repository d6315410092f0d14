"""Beam sampling: beam search whose candidates are drawn instead of being the best."""

import copy
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from s2s_lab.decoding import noise
from s2s_lab.decoding.base import Found
from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.beam_state import BeamState
from s2s_lab.decoding.checks import positive, whole_number
from s2s_lab.decoding.symbol_noise import SymbolNoise
from s2s_lab.decoding.task import StepFunction, Task


@dataclass(kw_only=True, eq=False)
class BeamSampling(SymbolNoise, BeamSearch):
    """Beam search among 2 x size candidates that are drawn without replacement from all continuations of a sentence.

    A continuation's chance is proportional to its whole probability to the power of 1 / temperature; what is drawn is
    then sorted by log-probability and treated as the candidates of `BeamSearch` are. Towards temperature 0 this is beam
    search. The noise is a function of seed, sentence and the hypothesis' own symbols.

    Origin: the beam sampling of Hugging Face transformers (`beam_sample`: `torch.multinomial` of 2 x num_beams without
    replacement from the softmax of the accumulated scores, then a sort by score). Deviations: the first step continues
    one empty hypothesis, not `num_beams` equal ones, so that no two hypotheses are the same; the temperature sharpens
    what is drawn from and does not enter the sums; length penalties and stopping rules are those of `BeamSearch`.

    Attributes:
        temperature: above 0; 1 draws from the hypotheses' own probabilities.
        seed: a whole number of at least 0.

    Raises:
        RequestError: an option is out of its range.
    """

    name = "beam_sampling"
    traces: ClassVar[bool] = False

    temperature: float = 1.0
    seed: int = 1

    def __post_init__(self) -> None:
        """Checks the options."""
        super().__post_init__()
        positive("temperature", self.temperature)
        whole_number("seed", self.seed, 0)
        self._keys: Tensor | None = None  # of the present rows, in the copy that makes one search

    def options(self) -> tuple[str, ...]:
        """Returns those of beam search, temperature and seed."""
        return (*super().options(), f"temperature:{self.temperature:g}", f"seed:{self.seed}")

    def search(self, step: StepFunction, state: Any, memory: Any, task: Task) -> Found:
        """Searches one batch; see the base class. A hypothesis' key follows it in the state, last in its tuple."""
        searching = copy.copy(self)
        wrapped = bool(self.constraints)  # then the state is a pair, which stays the beginning of the tuple

        def keyed(previous_ids: Tensor, state: Any, memory: Any) -> tuple[Tensor, Any, Tensor | None]:
            *before, keys = state
            scores, after, weights = step(previous_ids, tuple(before) if wrapped else before[0], memory)
            searching._keys = keys = noise.child_keys(keys, searching.symbols(previous_ids))
            return scores, (*after, keys) if wrapped else (after, keys), weights

        keys = noise.sample_keys(self.seed, task.sentence_index, 1).squeeze(1)
        state = (*state, keys) if wrapped else (state, keys)
        return super(BeamSampling, searching).search(keyed, state, memory, task)

    def advance(
        self, beam: BeamState, log_probs: Tensor, t: int, limits_near: bool
    ) -> tuple[BeamState, Tensor, Tensor, Tensor]:
        """Makes one step among the drawn continuations; see the base class."""
        return super().advance(beam, self._drawn(log_probs, beam.live), t, limits_near)

    def _drawn(self, log_probs: Tensor, live: Tensor) -> Tensor:
        """Leaves 2 x size continuations of each sentence, drawn by the largest of their perturbed log-probabilities.

        Args:
            log_probs: (batch x width, vocab).
            live: (batch, width) log-probabilities, -inf for a dead one.

        Returns:
            (batch x width, vocab), -inf for what was not drawn.
        """
        assert self._keys is not None
        batch, width = live.shape
        vocab = log_probs.size(1)
        sums = (log_probs.view(batch, width, vocab) + live.unsqueeze(2)).double()
        best = sums.amax((1, 2), keepdim=True)
        sharpened = (sums - best.masked_fill(best == -torch.inf, 0.0)) / self.temperature
        perturbed = (sharpened + self.perturbation(self._keys.view(batch, width), vocab)).flatten(1)
        places = perturbed.topk(min(2 * self.size, width * vocab), -1).indices
        left_out = torch.ones_like(perturbed, dtype=torch.bool).scatter_(1, places, False)
        return log_probs.masked_fill(left_out.view(-1, vocab), -torch.inf)
