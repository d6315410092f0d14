"""Reranks n-best lists by what other models say of their texts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch

from s2s_lab.decoding.base import Hypothesis
from s2s_lab.inference.decode import Decoded
from s2s_lab.inference.frozen import FrozenModel, length_sorted_batches
from s2s_lab.inference.score import score_targets
from s2s_lab.inference.text import TextSide

KINDS = ("same", "source_given_target")


@dataclass(frozen=True)
class Reranker:
    """A model that judges outputs by their text, in tokens of its own.

    Attributes:
        model: in eval mode.
        kind: "same": it translates in the same direction, such as one that writes from right to left;
            "source_given_target": it translates back, and tells how probable the source is, given the output.
        weight: of its log-probability.
    """

    model: FrozenModel
    kind: Literal["same", "source_given_target"]
    weight: float

    def log_probs(
        self, sources: Sequence[str], outputs: Sequence[str], *, device: torch.device, sentences: int
    ) -> list[float]:
        """Gives the natural log-probability, eos included, of each output (or of its source).

        Args:
            sources: raw lines.
            outputs: one for each of them.
            device: where the model is.
            sentences: in a batch.
        """
        given, wanted = (sources, outputs) if self.kind == "same" else (outputs, sources)
        source_ids = [self.model.source.ids(line) for line in given]
        target_ids = [self.model.target.ids(line) for line in wanted]
        batches = length_sorted_batches(source_ids, target_ids, sentences=sentences)
        scored = score_targets(self.model.network, batches, device=device)
        return [scored[index][0] for index in range(len(source_ids))]


def rerank(
    decoded: Decoded,
    sources: Sequence[str],
    target: TextSide,
    rerankers: Sequence[Reranker],
    *,
    device: torch.device,
    sentences: int,
) -> Decoded:
    """Sorts each n-best list by its score plus the sum of weight x log-probability of each reranker.

    Equal totals keep their order. The new score is the total, the log-probability stays the first model's.
    Each distinct pair of source and text is scored once.

    Paper: Li and Jurafsky 2016, arXiv 1601.00372 (source given target); Liu et al. 2016, "Agreement on
    target-bidirectional neural machine translation" (right to left). Deviation: no weight is tuned here.

    Args:
        decoded: n-best lists; its seconds and tokens are taken over, with the seconds of reranking added.
        sources: raw lines by sentence index.
        target: writes the hypotheses' text.
        rerankers: applied together.
        device: where their models are.
        sentences: in a batch.
    """
    began = time.perf_counter()
    lines = {index: [target.line(each.ids) for each in nbest] for index, nbest in decoded.hypotheses.items()}
    pairs = list(dict.fromkeys((sources[index], line) for index, texts in lines.items() for line in texts))
    totals = dict.fromkeys(pairs, 0.0)
    for reranker in rerankers:
        found = reranker.log_probs(*zip(*pairs, strict=True), device=device, sentences=sentences)
        for pair, log_prob in zip(pairs, found, strict=True):
            totals[pair] += reranker.weight * log_prob
    hypotheses = {
        index: _sorted(nbest, [totals[sources[index], line] for line in lines[index]])
        for index, nbest in decoded.hypotheses.items()
    }
    tokens = sum(len(nbest[0].ids) + nbest[0].finished for nbest in hypotheses.values())
    seconds = decoded.seconds + time.perf_counter() - began
    return replace(decoded, hypotheses=hypotheses, seconds=seconds, tokens=tokens)


def _sorted(nbest: Sequence[Hypothesis], added: Sequence[float]) -> list[Hypothesis]:
    """Adds to each score and puts the best first; what the search proved or estimated of its own score goes."""
    rescored = [
        replace(each, score=each.score + more, optimal=None, drawn=None)
        for each, more in zip(nbest, added, strict=True)
    ]
    return sorted(rescored, key=lambda each: -each.score)
