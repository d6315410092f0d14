"""What a record keeps of each sentence of an evaluation, and whether a record of before still answers."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from s2s_lab.decoding.base import Hypothesis
from s2s_lab.faults import RequestError
from s2s_lab.inference.decode import Decoded
from s2s_lab.inference.folder import SUMS
from s2s_lab.inference.frozen import WEIGHTS, FrozenModel
from s2s_lab.inference.lanes import lanes_on
from s2s_lab.metrics.base import Metric, References, Score, count_references
from s2s_lab.records.evaluation import Alignment, read_evaluation
from s2s_lab.records.run_folder import RunFolder

MEASURED = ("batch_sentences", "matmul_precision", "repeats", "attention_sentences", "trace_sentences")
"""Settings of an evaluation that leave its folder's name as it is, but not what is in it."""


def conditions_of(run: RunFolder, settings: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """What else than its identity decides what an evaluation measures and keeps: a record of others does not answer."""
    lanes = lanes_on(device, settings.get("batches_at_once"))
    return {
        **{key: settings.get(key) for key in MEASURED},
        **({"batches_at_once": lanes} if lanes > 1 else {}),
        "num_threads": torch.get_num_threads(),
        "device": str(device),
        "weights": _sum_of_weights(run.model / SUMS),
    }


def recorded(
    folder: Path, conditions: Mapping[str, Any], metrics: Mapping[str, Metric], references: References
) -> dict[str, Any] | None:
    """The facts of a whole record that was measured under the same conditions and has the same scores; None without.

    Args:
        folder: of the evaluation; its name is its identity.
        conditions: as of `conditions_of`.
        metrics: whose scores it must have.
        references: for each sentence its accepted references.
    """
    try:
        found = read_evaluation(folder)
        lines = len(found.hypotheses())
    except RequestError:  # none, or damaged: it is measured anew
        return None
    wanted = {(metric.name, metric.signature(count_references(references))) for metric in metrics.values()}
    scores = {(score["name"], score["signature"]) for score in found.facts["scores"]}
    same = found.facts.get("conditions") == conditions and lines == len(references)
    return found.facts if same and wanted <= scores else None


class Kept(NamedTuple):
    """Scores of a former record of the same outputs, which a new one keeps.

    Attributes:
        scores: as in scores.json.
        statistics: of each sentence, by score.
    """

    scores: Sequence[Mapping[str, Any]] = ()
    statistics: Sequence[Mapping[str, Any]] = ()


def kept_scores(folder: Path, hypotheses: Sequence[str], names: Iterable[str]) -> Kept:
    """Gives what a record of the same best outputs has beside some scores; nothing where outputs differ.

    Args:
        folder: of the evaluation.
        hypotheses: the best output of each sentence.
        names: of the scores that are measured anew.
    """
    try:
        found = read_evaluation(folder)
        if not found.has_outputs(hypotheses):
            return Kept()
        measured = set(names)
        scores = [score for score in found.facts["scores"] if score["name"] not in measured]
        kept = {score["name"] for score in scores}
        statistics = [
            {name: values for name, values in segment["statistics"].items() if name in kept}
            for segment in found.segments()
        ]
    except RequestError:  # none, or damaged
        return Kept()
    return Kept(scores, statistics)


def nbest_lists(model: FrozenModel, decoded: Decoded, texts: Sequence[Sequence[str]]) -> Iterable[list[dict[str, Any]]]:
    """For each sentence its n-best list, as nbest.jsonl has it; `texts` are those of the same hypotheses."""
    for index, lines in zip(sorted(decoded.hypotheses), texts, strict=True):
        yield [
            {
                "text": line,
                "tokens": model.target.tokens(item.ids),
                "log_prob": item.log_prob,
                "score": item.score,
                "finished": item.finished,
                **_optimal(item),
            }
            for item, line in zip(decoded.hypotheses[index], lines, strict=True)
        ]


def segments(
    source_ids: Sequence[Sequence[int]],
    target_ids: Sequence[Sequence[int]],
    decoded: Decoded,
    scores: Sequence[Score],
    kept: Kept,
) -> Iterable[dict[str, Any]]:
    """For each sentence its lengths in tokens, log-probabilities and statistics, as segments.jsonl has them.

    `best_log_prob` is that of the most probable whole output of the n-best list, null where none ends in eos.
    """
    for index, best in enumerate(decoded.best):
        whole = [item.log_prob for item in decoded.hypotheses[index] if item.finished]
        yield {
            "index": index,
            "source_length": len(source_ids[index]) - 1,
            "reference_length": len(target_ids[index]) - 1,
            "hypothesis_length": len(best.ids),
            "log_prob": best.log_prob,
            "best_log_prob": max(whole, default=None),
            "score": best.score,
            **_optimal(best),
            "statistics": {
                **{score.name: score.statistics[index].tolist() for score in scores},
                **(kept.statistics[index] if kept.statistics else {}),
            },
        }


def alignments(
    model: FrozenModel, source_ids: Sequence[Sequence[int]], decoded: Decoded, kept: frozenset[int]
) -> dict[int, Alignment]:
    """By sentence, what each token of the best output attended to; of those whose weights were kept."""
    found = {}
    for index in sorted(kept):
        alignment = alignment_of(model, source_ids[index], decoded.hypotheses[index][0])
        if alignment is not None:
            found[index] = alignment
    return found


def alignment_of(model: FrozenModel, source_ids: Sequence[int], best: Hypothesis) -> Alignment | None:
    """What each token of an output attended to; None where its weights were not kept."""
    if best.weights is None:
        return None
    source_tokens = model.source.labels(source_ids)
    target_tokens = [*model.target.tokens(best.ids), *(["</s>"] if best.finished else [])]
    weights = best.weights.float().cpu().numpy()[: len(target_tokens), : len(source_tokens)]
    return Alignment(weights, source_tokens, target_tokens)


def _sum_of_weights(sums: Path) -> str | None:
    """The sha256 of the weights as the model folder has it; None where it has none."""
    lines = sums.read_text(encoding="utf-8", errors="replace").splitlines() if sums.is_file() else []
    return next((line.split()[0] for line in lines if line.split()[1:] == [WEIGHTS]), None)


def _optimal(item: Hypothesis) -> dict[str, bool]:
    """Whether the search proved that nothing scores higher, where it says."""
    return {} if item.optimal is None else {"optimal": item.optimal}
