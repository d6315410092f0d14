"""The validation sample: decoded at every validation, scored on raw text, some of it shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from s2s_lab.data.batch import Batch
from s2s_lab.decoding.base import DecodingStrategy, Hypothesis
from s2s_lab.inference.text import TextSide
from s2s_lab.metrics.base import Metric


@dataclass(frozen=True)
class Example:
    """One decoded sentence of the sample.

    Attributes:
        source: raw source line.
        reference: raw reference line.
        hypothesis: detokenized output line.
        weights: (target_len, source_len) attention weights, or None.
        source_tokens: labels of the weights' columns.
        target_tokens: labels of the weights' rows.
    """

    source: str
    reference: str
    hypothesis: str
    weights: np.ndarray | None
    source_tokens: list[str]
    target_tokens: list[str]


class Sample:
    """Sentences of the validation split that are decoded at every validation.

    Args:
        strategy: how they are decoded.
        source: text side of the sources.
        target: text side of the targets.
        metrics: by name.
        sources: raw source lines by sentence index.
        references: accepted references by sentence index.
        num_examples: how many sentences are shown.
        num_pictures: how many of those with their attention weights.
    """

    def __init__(
        self,
        *,
        strategy: DecodingStrategy,
        source: TextSide,
        target: TextSide,
        metrics: Mapping[str, Metric],
        sources: Mapping[int, str],
        references: Mapping[int, tuple[str, ...]],
        num_examples: int,
        num_pictures: int,
    ) -> None:
        self.strategy, self.source, self.target, self.metrics = strategy, source, target, metrics
        self.sources, self.references = sources, references
        self.shown = sorted(sources)[: max(num_examples, num_pictures)]
        self.pictured = frozenset(self.shown[:num_pictures])
        self._lines: dict[int, str] = {}
        self._kept: dict[int, tuple[list[int], Hypothesis]] = {}

    def higher_is_better(self, monitor: str) -> bool:
        """Direction of the monitored value; `loss` is better when lower."""
        return monitor != "loss" and self.metrics[monitor].higher_is_better

    def clear(self) -> None:
        """Forgets all hypotheses."""
        self._lines.clear()
        self._kept.clear()

    def add(self, batch: Batch, hypotheses: Sequence[Sequence[Hypothesis]]) -> None:
        """Takes the n-best lists of a batch; only the best of each is used."""
        for row, (index, nbest) in enumerate(zip(batch.index.tolist(), hypotheses, strict=True)):
            self._lines[index] = self.target.line(nbest[0].ids)
            if index in self.pictured:
                self._kept[index] = (batch.source(row), nbest[0])

    def score(self) -> tuple[dict[str, float], list[Example]]:
        """Scores all sentences decoded since `clear` (on all ranks) and gives those that are shown."""
        lines = _gathered(self._lines)
        self._kept = _gathered(self._kept)
        order = sorted(lines)
        references = [self.references[index] for index in order]
        scores = {
            name: metric.score([lines[index] for index in order], references).value
            for name, metric in self.metrics.items()
        }
        return scores, [self._example(index, lines[index]) for index in self.shown if index in lines]

    def _example(self, index: int, line: str) -> Example:
        source_ids, hypothesis = self._kept.get(index, ([], None))
        weights = None if hypothesis is None or hypothesis.weights is None else hypothesis.weights.float().cpu().numpy()
        return Example(
            source=self.sources[index],
            reference=self.references[index][0],
            hypothesis=line,
            weights=weights,
            source_tokens=self.source.labels(source_ids),
            target_tokens=[] if hypothesis is None else [*self.target.tokens(hypothesis.ids), "</s>"],
        )


def _gathered(own: dict[int, Any]) -> dict[int, Any]:
    """What all ranks keep, by sentence index."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return dict(own)
    parts: list[dict[int, Any]] = [{}] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(parts, own)
    return {index: kept for part in parts for index, kept in part.items()}
