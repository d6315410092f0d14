"""The outputs that the page shows side by side: a sample of sentences, of every row and seed that fits."""

from typing import Any

import numpy as np

from s2s_lab.metrics.base import signature_fields
from s2s_lab.reports.differences import mark_words
from s2s_lab.reports.entries import SplitComparison
from s2s_lab.reports.numbers import in_order

MOST_OUTPUTS = 24_000
"""Outputs of one split in the page; beyond them later seeds are left out."""


def browser(split: SplitComparison, most: int) -> dict[str, Any]:
    """Give sources, references and outputs of a sample of sentences.

    Args:
        split: The entries.
        most: Sentences, evenly spaced over the split.

    Returns:
        `seeds`, those that can be chosen; `outputs`, for each entry and each seed the marked outputs: None where the
        entry has no such seed, and 0 for an output that equals that of the first of `seeds` that the entry has;
        `folded`, whether words are compared without regard to case, as the score that ranks does.
    """
    fields = {} if split.monitor is None else signature_fields(split.monitor.signature)
    folded = fields.get("case") == "lc"
    first = split.entries[0].evaluations[0]
    sources, references = first.sources(), first.references()
    count = min(most, len(sources))
    indices = np.unique(np.linspace(0, len(sources) - 1, count).astype(int)).tolist() if count else []
    seeds = in_order(str(run.seed) for entry in split.entries for run in entry.runs)
    kept = seeds[: max(1, MOST_OUTPUTS // max(1, len(indices) * len(split.entries)))]
    outputs = []
    for entry in split.entries:
        of_seed: dict[str, list[str]] = {}
        for run, evaluation in zip(entry.runs, entry.evaluations, strict=True):
            if str(run.seed) in kept:
                lines = evaluation.hypotheses()
                of_seed[str(run.seed)] = [lines[index] for index in indices]
        of_seed = {seed: of_seed[seed] for seed in kept if seed in of_seed}
        outputs.append([_marked(of_seed, seed, references, indices, folded) for seed in kept])
    return {
        "total": len(sources),
        "indices": indices,
        "sources": [sources[index] for index in indices],
        "references": [references[index] for index in indices],
        "seeds": kept,
        "left_out": len(seeds) - len(kept),
        "outputs": outputs,
        "folded": folded,
    }


def _marked(
    of_seed: dict[str, list[str]], seed: str, references: list, indices: list[int], folded: bool
) -> list[Any] | None:
    if seed not in of_seed:
        return None
    own, earliest = of_seed[seed], next(iter(of_seed.values()))
    return [
        0 if own is not earliest and line == before else mark_words(line, references[index], fold=folded)
        for line, before, index in zip(own, earliest, indices, strict=True)
    ]
