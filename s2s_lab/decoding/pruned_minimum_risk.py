"""Minimum Bayes risk that gives up candidates as soon as they are unlikely to win."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from s2s_lab.decoding import noise
from s2s_lab.decoding.base import positive, whole_number
from s2s_lab.decoding.minimum_risk import Drawn, MinimumRisk
from s2s_lab.decoding.task import Phrase
from s2s_lab.faults import RequestError


@dataclass(kw_only=True, eq=False)
class PrunedMinimumRisk(MinimumRisk):
    """Compares all candidates with few pseudo-references, and ever fewer candidates with ever more of them.

    The pseudo-references come in random order, `first_references` of them at first and twice as many in each round.
    After a round they are resampled with replacement; a candidate whose mean utility reaches that of the round's best
    candidate in fewer than 1 - `confidence` of the resamples is given up, unless it is among the best
    `num_hypotheses`. Those that are left are ranked by all pseudo-references, so that with a confidence of 1, which
    gives up none, the result is that of `MinimumRisk`.

    Paper: Cheng and Vlachos 2023, arXiv 2311.14919, algorithm 1. Deviation: there a candidate stays that reaches the
    best one in more than 1 - confidence of the resamples, and the last one left is compared with no more references.

    Attributes:
        confidence: above 0 and at most 1.
        first_references: compared with in the first round, at least 1.
        resamples: at least 1.

    Raises:
        RequestError: an option is out of its range, or weights is not "count": only draws can be resampled.
    """

    name = "minimum_risk_pruned"

    confidence: float = 0.99
    first_references: int = 8
    resamples: int = 500

    def __post_init__(self) -> None:
        """Checks the options."""
        super().__post_init__()
        positive("confidence", self.confidence, 1)
        whole_number("first_references", self.first_references, 1)
        whole_number("resamples", self.resamples, 1)
        if self.weights != "count":
            raise RequestError(f"decoding.weights is {self.weights!r}, expected 'count': pruning resamples draws")

    def options(self) -> tuple[str, ...]:
        """Returns the options of the base class and those of pruning."""
        pruning = f"{self.confidence:g},first:{self.first_references},resamples:{self.resamples}"
        return (*super().options(), f"confidence:{pruning}")

    def expected(self, hypotheses: Sequence[Phrase], references: Sequence[Drawn], sentence: int) -> list[float]:
        """Gives the expected utility of each hypothesis of a sentence, -inf to those given up; see the base class."""
        owners = [row for row, each in enumerate(references) for _ in range(each.count)]
        owners = [owners[place] for place in self.shuffled(len(owners), sentence)]
        alive = torch.arange(len(hypotheses))
        utilities = torch.zeros((len(hypotheses), len(references)), dtype=torch.float64)
        known: set[int] = set()
        size, turn = min(self.first_references, len(owners)), 0
        while True:
            new = sorted(set(owners[:size]) - known)
            known.update(new)
            if new:
                chosen = [hypotheses[row] for row in alive.tolist()]
                fresh = self.utility(chosen, [references[column].ids for column in new]).double().cpu()
                utilities[alive.unsqueeze(1), torch.tensor(new)] = fresh
            if size == len(owners):
                break
            seen = utilities[alive][:, owners[:size]]
            alive = alive[self._kept(seen, sentence, turn)]
            size, turn = min(2 * size, len(owners)), turn + 1
        counts = torch.tensor([each.count for each in references], dtype=torch.float64)
        scores = torch.full((len(hypotheses),), -torch.inf, dtype=torch.float64)
        scores[alive] = (utilities[alive] * (counts / counts.sum())).sum(1)
        return scores.tolist()

    def _kept(self, seen: Tensor, sentence: int, turn: int) -> Tensor:
        """Says which candidates stay: (candidates,) bool, of their utilities `seen` (candidates, references)."""
        means = seen.mean(1)
        best = int(means.argmax())
        size = seen.size(1)
        keys = noise.sample_keys(self.seed + 1 + turn, torch.tensor([sentence]), self.resamples)
        uniforms = noise.uniform(keys[0].unsqueeze(1) + torch.arange(size), 0)
        places = (uniforms * size).long().clamp_(max=size - 1)
        counts = torch.zeros((self.resamples, size), dtype=torch.float64)
        counts.scatter_add_(1, places, torch.ones_like(uniforms))
        resampled = seen @ counts.t()  # (candidates, resamples)
        kept = (resampled >= resampled[best]).double().mean(1) >= 1 - self.confidence
        kept[means.sort(descending=True, stable=True).indices[: self.num_hypotheses]] = True
        return kept
