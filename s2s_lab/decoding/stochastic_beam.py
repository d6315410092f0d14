"""Stochastic beam search: outputs drawn without replacement, by the Gumbel top-k trick on whole outputs."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from s2s_lab.decoding import noise
from s2s_lab.decoding.ancestry import walk_back, weights_of
from s2s_lab.decoding.base import DecodingStrategy, Found
from s2s_lab.decoding.checks import positive, whole_number
from s2s_lab.decoding.history import History
from s2s_lab.decoding.state import look_due, staying
from s2s_lab.decoding.symbol_noise import SymbolNoise
from s2s_lab.decoding.task import StepFunction, Task
from s2s_lab.decoding.without_replacement import condition_maximum
from s2s_lab.nested import select_rows


class Beam(NamedTuple):
    """What one step of the search hands to the next: `width` hypotheses, largest perturbed log-probability first.

    Attributes:
        perturbed: (batch, width) float64, -inf for a dead one.
        drawn: (batch, width) float64, log-probabilities in the distribution that is drawn from.
        log_probs: (batch, width) float64, the model's own.
        keys: (batch, width) int64, of the noise.
        ids: (batch, width) int64, the last symbols.
        finished: (batch, width) bool.
        threshold: (batch,) float64, the largest perturbed log-probability left out so far.
        limits: (batch,) int64.
        done: (batch,) bool, the sentence's search has ended.
    """

    perturbed: Tensor
    drawn: Tensor
    log_probs: Tensor
    keys: Tensor
    ids: Tensor
    finished: Tensor
    threshold: Tensor
    limits: Tensor
    done: Tensor


@dataclass(kw_only=True, eq=False)
class StochasticBeam(SymbolNoise, DecodingStrategy):
    """Draws `num_samples` different outputs for each sentence, in the order of drawing without replacement.

    The distribution is that of `Sampling`: the model's without forbidden symbols, sharpened by the temperature and
    renormalised at each step; an output ends in eos or is cut at the limit. Every output's log-probability is
    perturbed by Gumbel noise, and those of the largest sums are found top-down: a hypothesis' children share its noise
    so that their maximum is its own. Hypotheses that finished keep their place as long as nothing passes them. A
    hypothesis without any possible continuation dies, with its share of the probability.

    The noise is a function of seed, sentence and a hypothesis' own symbols: fewer samples are the first ones of more.
    `Hypothesis.score` is the perturbed log-probability; `Hypothesis.drawn` holds what
    `without_replacement.estimate` needs; the log-probability is the model's own, as for any other strategy.

    Paper: Kool, van Hoof, Welling 2019, arXiv 1903.06059, algorithm 1. Deviation: the empty hypothesis' perturbed
    log-probability is drawn too, where the algorithm sets it to 0, so that the inclusion probabilities hold.

    Attributes:
        num_samples: outputs for each sentence, at least 1; all there are where there are fewer.
        temperature: above 0; 1 leaves the distribution as it is.
        seed: a whole number of at least 0.

    Raises:
        RequestError: an option is out of its range.
    """

    name = "stochastic_beam"

    num_samples: int = 5
    temperature: float = 1.0
    seed: int = 1

    def __post_init__(self) -> None:
        """Checks the options."""
        super().__post_init__()
        self.num_hypotheses = whole_number("num_samples", self.num_samples, 1)
        positive("temperature", self.temperature)
        whole_number("seed", self.seed, 0)

    def options(self) -> tuple[str, ...]:
        """Returns number, temperature and seed."""
        return (f"samples:{self.num_hypotheses}", f"temperature:{self.temperature:g}", f"seed:{self.seed}")

    def search(self, step: StepFunction, state: Any, memory: Any, task: Task) -> Found:
        """Searches one batch; see the base class. The first step has one row for each sentence, later ones all."""
        device, on_accelerator = task.limits.device, task.limits.device.type != "cpu"
        next_symbol = self.next_symbol(device, exact=task.exact)
        history = History(len(task.limits), device)
        shortest, longest = torch.stack(torch.aminmax(task.limits)).tolist()
        beam = self._start(task)
        for t in range(longest):
            scores, state, attention = step(beam.ids.flatten(), state, memory)
            log_probs = next_symbol(scores, t, beam.limits, state)
            active, width = ~beam.done, beam.ids.size(1)
            beam, parents = self.advance(beam, log_probs)
            if t + 1 >= shortest:
                beam = beam._replace(done=beam.done | (beam.limits <= t + 1))
            shown = ()
            if task.weights and attention is not None:
                by_slot = attention.unflatten(0, (-1, width))
                shown = (by_slot.expand(-1, self.num_hypotheses, -1),)
            ends = (beam.perturbed, beam.drawn, beam.log_probs, beam.finished)
            history.record(active, parents, beam.ids, beam.threshold, *ends, *shown)
            rows = parents + torch.arange(0, len(parents) * width, width, device=device).unsqueeze(1)
            kept = staying(beam.done) if look_due(t, on_accelerator) else None
            if kept is not None:
                if len(kept) == 0:
                    break
                history.keep(kept)
                rows, memory, beam = select_rows((rows, memory, beam), kept)
            state = select_rows(state, rows.flatten())
        return _found(history, self.eos)

    def _start(self, task: Task) -> Beam:
        """Starts with the one empty hypothesis of each sentence."""
        keys = noise.sample_keys(self.seed, task.sentence_index, 1)
        root = keys.new_tensor([-1])  # places from 0 on are those of the first symbols
        perturbed = noise.gumbel(keys, root).squeeze(2)
        return Beam(
            perturbed=perturbed,
            drawn=torch.zeros_like(perturbed),
            log_probs=torch.zeros_like(perturbed),
            keys=keys,
            ids=torch.full_like(keys, self.bos),
            finished=torch.zeros_like(keys, dtype=torch.bool),
            threshold=torch.full_like(perturbed[:, 0], -torch.inf),
            limits=task.limits,
            done=torch.zeros_like(task.limits, dtype=torch.bool),
        )

    def advance(self, beam: Beam, log_probs: Tensor) -> tuple[Beam, Tensor]:
        """Makes one step of the search for all sentences.

        The best children of one hypothesis keep their order under the shared noise, so one more of them than there are
        places is enough.

        Args:
            beam: the search before the step.
            log_probs: (batch x width, vocab), -inf at forbidden ids.

        Returns:
            The search after the step, with num_samples places, and the place before of each one's parent (batch,
            num_samples).
        """
        size, vocab = self.num_hypotheses, log_probs.size(1)
        batch, width = beam.ids.shape
        children = min(size + 1, vocab)
        drawn = beam.drawn.view(-1, 1) + _sharpened(log_probs.double(), self.temperature)
        values, ids = (drawn + self.perturbation(beam.keys.flatten(), vocab)).topk(children, -1)
        values = condition_maximum(values, beam.perturbed.view(-1, 1))
        finished = beam.finished.view(-1, 1)
        values = values.masked_fill(finished, -torch.inf)  # a finished one is its own only child
        values[:, :1] = torch.where(finished, beam.perturbed.view(-1, 1), values[:, :1])
        ids = ids.masked_fill(finished, self.eos)
        drawn = torch.where(finished, beam.drawn.view(-1, 1), drawn.gather(1, ids))
        own = torch.where(finished, 0.0, log_probs.gather(1, ids)) + beam.log_probs.view(-1, 1)
        values, ids, drawn, own = (part.view(batch, width * children) for part in (values, ids, drawn, own))
        missing = max(0, size + 1 - width * children)  # a space smaller than the beam: dead ones fill the places
        values = torch.nn.functional.pad(values, (0, missing), value=-torch.inf)
        values, places = values.topk(size + 1, -1)
        places = places[:, :size].clamp(max=width * children - 1)
        parents = places.div(children, rounding_mode="floor")
        ids = ids.gather(1, places)
        perturbed = values[:, :size].contiguous()
        finished = beam.finished.gather(1, parents) | (ids == self.eos)
        after = Beam(
            perturbed=perturbed,
            drawn=drawn.gather(1, places),
            log_probs=own.gather(1, places),
            keys=noise.child_keys(beam.keys.gather(1, parents), self.symbols(ids)),
            ids=ids,
            finished=finished,
            threshold=torch.maximum(beam.threshold, values[:, size]),
            limits=beam.limits,
            done=beam.done | (finished | (perturbed == -torch.inf)).all(1),
        )
        return after, parents


def _sharpened(log_probs: Tensor, temperature: float) -> Tensor:
    """Divides each row (rows, vocab) by the temperature and renormalises it; one that is -inf throughout stays so."""
    best = log_probs.amax(-1, keepdim=True)
    moved = (log_probs - best.masked_fill(best == -torch.inf, 0.0)) / temperature
    total = torch.logsumexp(moved, -1, keepdim=True)
    return moved - total.masked_fill(best == -torch.inf, 0.0)


def _found(history: History, eos: int) -> Found:
    """Takes each sentence's beam as its last step left it and walks back to read the ids."""
    active, parents, ids, threshold, *rest = history.stack()  # each (steps, batch, ...)
    ends, shown = rest[:4], rest[4:]
    taken = active.sum(0)  # steps that each sentence took
    last = (taken - 1).view(1, -1, 1).expand(1, -1, ids.size(2))
    perturbed, drawn, log_probs, finished = (part.gather(0, last).squeeze(0) for part in ends)
    threshold = threshold.gather(0, last[:, :, 0]).squeeze(0)
    places = torch.arange(ids.size(2), device=ids.device).expand_as(ids[0])
    path = walk_back(parents, active.unsqueeze(2), places)
    symbols = ids.gather(2, path[1:])
    within = torch.arange(len(ids), device=ids.device).view(-1, 1, 1) < taken.unsqueeze(1)
    going = ((symbols == eos).cumsum(0) == 0) & within
    return Found(
        ids=symbols.permute(1, 2, 0),
        lengths=going.sum(0),
        log_probs=log_probs,
        scores=perturbed,
        finished=finished,
        weights=weights_of(shown[0], path[:-1]) if shown else None,
        drawn=torch.stack((drawn, threshold.unsqueeze(1).expand_as(drawn)), -1),
    )
