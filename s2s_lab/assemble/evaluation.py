"""Evaluates a frozen run: decodes a split, scores it, and records both in the run folder."""

import hashlib
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from s2s_lab.assemble.beams import beams_of
from s2s_lab.assemble.demands import constraint_ids, demands_of, digests_of
from s2s_lab.assemble.evaluation_record import (
    alignments,
    conditions_of,
    kept_scores,
    nbest_lists,
    recorded,
    segments,
)
from s2s_lab.assemble.inference import build_metrics, build_strategy
from s2s_lab.assemble.set_scores import scores_of_outputs
from s2s_lab.assemble.shortlist import facts_of
from s2s_lab.assemble.split_texts import section
from s2s_lab.assemble.together import runs_of, with_parts
from s2s_lab.assemble.workbench import Workbench
from s2s_lab.decoding.base import DecodingStrategy
from s2s_lab.decoding.task import Demands
from s2s_lab.inference.decode import Decoded, decode
from s2s_lab.inference.frozen import length_sorted_batches
from s2s_lab.inference.lanes import lanes_on
from s2s_lab.inference.unknown_words import wording
from s2s_lab.metrics.base import Metric, Score
from s2s_lab.metrics.perplexity import perplexity
from s2s_lab.metrics.quality import quality_warnings
from s2s_lab.metrics.search_errors import SearchErrors
from s2s_lab.records.configuration import configuration_hash
from s2s_lab.records.evaluation import write_evaluation
from s2s_lab.records.run_folder import RunFolder

SCORE_FACTS = ("name", "value", "signature", "higher_is_better")
"""What scores.json holds of a score."""


class Evaluated(NamedTuple):
    """One evaluation of one run.

    Attributes:
        folder: where it is recorded.
        facts: what scores.json holds.
        anew: False where it had been recorded before.
    """

    folder: Path
    facts: dict[str, Any]
    anew: bool


class _Search(NamedTuple):
    """How a split is searched.

    Attributes:
        strategy: bound to the model's vocabulary.
        demands: what is asked of the outputs of single sentences; None where nothing is.
        exact_lengths: in tokens, of each output; None where they are free.
    """

    strategy: DecodingStrategy
    demands: Demands | None
    exact_lengths: list[int] | None


def evaluate(
    run: RunFolder, settings: Mapping[str, Any], device: torch.device, bench: Workbench | None = None
) -> Evaluated:
    """Decodes and scores one split with one run's model and records it; a record that still answers is kept.

    Args:
        run: a finished run.
        settings: plain conf/evaluate.yaml.
        device: where decoding happens.
        bench: of the run, where further evaluations share its models and texts.

    Raises:
        RequestError: if the model or the corpus cannot be used so.
        RunError: if the strategy finds no output.
    """
    bench = Workbench(run) if bench is None else bench
    facts = _facts(bench, settings, device)
    metrics, texts = metrics_of(run, settings), bench.texts(settings)
    folder = run.evaluation(facts["split"], facts["strategy"], configuration_hash(_identity(facts)))
    former = None if settings.get("again") else recorded(folder, facts["conditions"], metrics, texts.references)
    if former is not None:
        return Evaluated(folder, former, anew=False)
    model, ids = bench.model(settings, device), bench.ids(settings, device)
    search = _search(bench, settings, device)
    passes = _passes(bench, settings, device, search)
    decoded = passes[0]
    words = [model.source.written(line) for line in texts.sources] if settings.get("replace_unknown") else None
    text_of = wording(model.target, words)
    outputs = [[text_of(index, item) for item in found] for index, found in sorted(decoded.hypotheses.items())]
    scores = _scores(bench, settings, device, decoded, outputs, metrics)
    hypotheses = [found[0] for found in outputs]
    kept = kept_scores(folder, hypotheses, [score.name for score in scores])
    facts |= {
        "sentences": len(texts.sources),
        **_speed(passes, len(texts.sources)),
        "warnings": [*texts.warnings, *quality_warnings(hypotheses, texts.references)],
        "scores": [*({key: getattr(score, key) for key in SCORE_FACTS} for score in scores), *kept.scores],
    }
    traced = 0 if settings["shortlist"] else settings.get("trace_sentences", 0)
    write_evaluation(
        folder,
        facts=facts,
        sources=texts.sources,
        references=texts.references,
        hypotheses=hypotheses,
        nbest=nbest_lists(model, decoded, outputs),
        segments=segments(ids.sources, ids.targets, decoded, scores, kept),
        attention=alignments(model, ids.sources, decoded, _attended(settings, len(ids.sources))),
        beams=beams_of(
            model,
            search.strategy,
            ids.sources[:traced],
            network=bench.together(settings, device).network,
            exact_lengths=search.exact_lengths,
            demands=search.demands,
        ),
    )
    run.update(
        {"scores": {f"{facts['split']}/{folder.name}": {score["name"]: score["value"] for score in facts["scores"]}}}
    )
    return Evaluated(folder, facts, anew=True)


def metrics_of(run: RunFolder, settings: Mapping[str, Any]) -> dict[str, Metric]:
    """The metrics that the settings ask for; the run's own where they ask for none.

    Raises:
        RequestError: if they cannot be built.
    """
    return build_metrics(settings["metrics"] or section(run.configuration(), "metrics"))


def _facts(bench: Workbench, settings: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """What scores.json tells of how an evaluation is made, known before anything is decoded."""
    node, constraint = settings["decoding"], settings.get("constraint", {})
    strategy = build_strategy(node, constraint)
    signature = strategy.signature(exact=settings.get("oracle_length", False))
    texts = bench.texts(settings)
    return {
        "split": texts.split,
        "strategy": signature.partition("|")[0],
        "signature": with_parts(signature, settings),
        "configuration": node,
        "constraint": constraint,
        "demands": digests_of(settings),
        "replace_unknown": settings.get("replace_unknown", False),
        "data_fingerprint": texts.fingerprint,
        "given_outputs": "targets" in strategy.meets,
        "precision": settings["precision"],
        "device": str(device),
        "shortlist": facts_of(bench.shortlist(settings, device), settings["batch_sentences"]),
        "conditions": conditions_of(bench.run, settings, device),
        **({"together": runs_of(settings)} if runs_of(settings) else {}),
        **({"label": settings["label"]} if settings.get("label") else {}),
    }


def _identity(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What of the facts tells an evaluation of a split from others: the same gives the same folder."""
    identity = {key: facts[key] for key in ("signature", "configuration", "precision", "data_fingerprint")}
    identity |= {key: facts[key] for key in ("constraint", "demands", "replace_unknown") if facts[key]}
    return identity | ({"shortlist": facts["shortlist"]} if facts["shortlist"] is not None else {})


def _attended(settings: Mapping[str, Any], sentences: int) -> frozenset[int]:
    """The sentences whose attention the record keeps."""
    return frozenset(range(min(sentences, settings["attention_sentences"])))


def _search(bench: Workbench, settings: Mapping[str, Any], device: torch.device) -> _Search:
    """The strategy, bound to the model's vocabulary, and what is asked of the single outputs."""
    target, targets = bench.model(settings, device).target, bench.ids(settings, device).targets
    constraint = settings.get("constraint", {})
    strategy = build_strategy(settings["decoding"], constraint, constraint_ids(constraint, target), target)
    return _Search(
        strategy,
        demands_of(settings, target, strategy, targets),
        [len(ids) - 1 for ids in targets] if settings.get("oracle_length") else None,
    )


def _passes(bench: Workbench, settings: Mapping[str, Any], device: torch.device, search: _Search) -> list[Decoded]:
    """What each of the passes gave; of several, each encodes anew, so that all measure the same."""
    together, shortlist = bench.together(settings, device), bench.shortlist(settings, device)
    sources, repeats = bench.ids(settings, device).sources, settings["repeats"]
    every = settings.get("replace_unknown", False)
    weights_of = frozenset(range(len(sources))) if every else _attended(settings, len(sources))
    batches_of = length_sorted_batches if shortlist is None else shortlist.batches
    passes = []
    for _ in range(repeats):
        decoded = decode(
            together.network,
            search.strategy,
            batches_of(sources, sentences=settings["batch_sentences"]),
            device=device,
            weights_of=weights_of,
            shortlist=shortlist,
            exact_lengths=search.exact_lengths,
            demands=search.demands,
            encodings=bench.encodings(settings) if repeats == 1 else None,
            lanes=lanes_on(device, settings.get("batches_at_once")),
        )
        passes.append(together.reranked(decoded, bench.texts(settings).sources))
    return passes


def _speed(passes: Sequence[Decoded], sentences: int) -> dict[str, Any]:
    """The speed of the median pass, the faster of two in the middle, and the seconds of all."""
    seconds = statistics.median_low(each.seconds for each in passes)
    median = next(each for each in passes if each.seconds == seconds)
    return {
        "seconds": round(seconds, 4),
        "encoding_seconds": round(median.encoding_seconds, 4),
        "decoding_seconds": round(seconds - median.encoding_seconds, 4),
        "passes": [round(each.seconds, 4) for each in passes],
        "sentences_per_second": round(sentences / seconds, 2),
        "tokens_per_second": round(passes[0].tokens / seconds, 2),
    }


def _scores(
    bench: Workbench,
    settings: Mapping[str, Any],
    device: torch.device,
    decoded: Decoded,
    outputs: Sequence[Sequence[str]],
    metrics: Mapping[str, Metric],
) -> list[Score]:
    """The scores of the best outputs, of the references' probabilities and of the lists of outputs."""
    together, references = bench.together(settings, device), bench.texts(settings).references
    likelihoods = bench.likelihoods(settings, device)
    in_order = [likelihoods[index] for index in sorted(likelihoods)]
    scores = [metric.score([found[0] for found in outputs], references) for metric in metrics.values()]
    if together.normalised:
        tokens = "\n".join(bench.model(settings, device).target.vocabulary.tokens)
        scores.append(
            perplexity(
                [log_prob for log_prob, _ in in_order],
                [length for _, length in in_order],
                vocabulary=hashlib.sha256(tokens.encode()).hexdigest()[:12],
            )
        )
    own = not settings["shortlist"]  # else the outputs' log-probabilities are those of fewer symbols
    if own:
        found = [best.log_prob for best in decoded.best]
        scores.append(SearchErrors().score(found, [log_prob for log_prob, _ in in_order]))
    scores += scores_of_outputs(decoded, outputs, references, metrics, own_log_probs=own)
    return scores + together.scores(bench.ids(settings, device).sources, decoded)
