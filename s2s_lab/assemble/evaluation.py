"""Evaluates a frozen run: decodes a split, scores it, and records both in the run folder."""

import hashlib
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from s2s_lab.assemble.beams import beams_of
from s2s_lab.assemble.demands import constraint_ids, demands_of, digests_of
from s2s_lab.assemble.evaluation_record import alignments, conditions_of, nbest_lists, recorded, segments
from s2s_lab.assemble.inference import build_metrics, build_strategy
from s2s_lab.assemble.set_scores import scores_of_outputs
from s2s_lab.assemble.shortlist import facts_of
from s2s_lab.assemble.split_texts import section
from s2s_lab.assemble.together import runs_of, with_parts
from s2s_lab.assemble.workbench import Workbench
from s2s_lab.inference.decode import Decoded, decode
from s2s_lab.inference.frozen import FrozenModel, length_sorted_batches
from s2s_lab.inference.unknown_words import wording
from s2s_lab.metrics.base import Metric, Score
from s2s_lab.metrics.perplexity import perplexity
from s2s_lab.metrics.quality import quality_warnings
from s2s_lab.metrics.search_errors import SearchErrors
from s2s_lab.records.configuration import configuration_hash
from s2s_lab.records.evaluation import write_evaluation
from s2s_lab.records.run_folder import RunFolder


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
    node, constraint = settings["decoding"], settings.get("constraint", {})
    signature = build_strategy(node, constraint).signature(exact=settings.get("oracle_length", False))
    metrics = metrics_of(run, settings)
    split, sources, references, warnings, fingerprint = bench.texts(settings)
    size, replacing = settings["batch_sentences"], settings.get("replace_unknown", False)
    shortlist = bench.shortlist(settings, device)
    facts = {
        "split": split,
        "strategy": signature.partition("|")[0],
        "signature": with_parts(signature, settings),
        "configuration": node,
        "constraint": constraint,
        "demands": digests_of(settings),
        "replace_unknown": replacing,
        "data_fingerprint": fingerprint,
        "precision": settings["precision"],
        "device": str(device),
        "shortlist": facts_of(shortlist, size),
        "conditions": conditions_of(run, settings, device),
        **({"together": runs_of(settings)} if runs_of(settings) else {}),
        **({"label": settings["label"]} if settings.get("label") else {}),
    }
    identity = {key: facts[key] for key in ("signature", "configuration", "precision", "data_fingerprint")}
    identity |= {key: facts[key] for key in ("constraint", "demands", "replace_unknown") if facts[key]}
    identity |= {} if shortlist is None else {"shortlist": facts["shortlist"]}
    folder = run.evaluation(split, facts["strategy"], configuration_hash(identity))
    former = None if settings.get("again") else recorded(folder, facts["conditions"], metrics, references)
    if former is not None:
        return Evaluated(folder, former, anew=False)
    model, together = bench.model(settings, device), bench.together(settings, device)
    source_ids, target_ids = bench.ids(settings, device)
    strategy = build_strategy(node, constraint, constraint_ids(constraint, model.target), model.target)
    demands = demands_of(settings, model.target, strategy, target_ids)
    kept = frozenset(range(min(len(sources), settings["attention_sentences"])))
    weights_of = frozenset(range(len(sources))) if replacing else kept
    batches_of = length_sorted_batches if shortlist is None else shortlist.batches
    lengths = [len(ids) - 1 for ids in target_ids] if settings.get("oracle_length") else None
    passes = _passes(
        lambda encodings: together.reranked(
            decode(
                together.network, strategy, batches_of(source_ids, sentences=size), device=device,
                weights_of=weights_of, shortlist=shortlist, exact_lengths=lengths, demands=demands, encodings=encodings,
            ),
            sources,
        ),
        bench,
        settings,
    )  # fmt: skip
    decoded = passes[0]
    likelihoods = bench.likelihoods(settings, device)
    text_of = wording(model.target, [model.source.written(line) for line in sources] if replacing else None)
    texts = [[text_of(index, item) for item in decoded.hypotheses[index]] for index in range(len(sources))]
    hypotheses = [found[0] for found in texts]
    scores = _scores(metrics, hypotheses, references, likelihoods, model)
    scores = [score for score in scores if together.normalised or score.name != "perplexity"]
    if shortlist is None:  # else the outputs' log-probabilities are those of fewer symbols
        found = [best.log_prob for best in decoded.best]
        scores.append(SearchErrors().score(found, [likelihoods[index][0] for index in sorted(likelihoods)]))
    scores += scores_of_outputs(decoded, texts, references, metrics, own_log_probs=shortlist is None)
    scores += together.scores(source_ids, decoded)
    facts |= {
        "sentences": len(sources),
        **_speed(passes, len(sources)),
        "warnings": [*warnings, *quality_warnings(hypotheses, references)],
        "scores": [
            {
                "name": score.name,
                "value": score.value,
                "signature": score.signature,
                "higher_is_better": score.higher_is_better,
            }
            for score in scores
        ],
    }
    traced = min(len(sources), settings.get("trace_sentences", 0)) if shortlist is None else 0
    write_evaluation(
        folder,
        facts=facts,
        sources=sources,
        references=references,
        hypotheses=hypotheses,
        nbest=nbest_lists(model, decoded, texts),
        segments=segments(source_ids, target_ids, decoded, scores),
        attention=alignments(model, source_ids, decoded, kept),
        beams=beams_of(
            model, strategy, source_ids[:traced], network=together.network, exact_lengths=lengths, demands=demands
        ),
    )
    run.update({"scores": {f"{split}/{folder.name}": {score.name: score.value for score in scores}}})
    return Evaluated(folder, facts, anew=True)


def metrics_of(run: RunFolder, settings: Mapping[str, Any]) -> dict[str, Metric]:
    """The metrics that the settings ask for; the run's own where they ask for none.

    Raises:
        RequestError: if they cannot be built.
    """
    return build_metrics(settings["metrics"] or section(run.configuration(), "metrics"))


def _passes(decode_all: Callable[[Any], Decoded], bench: Workbench, settings: Mapping[str, Any]) -> list[Decoded]:
    """What each of the passes gave; of several, each encodes anew, so that all measure the same."""
    repeats = settings["repeats"]
    return [decode_all(bench.encodings(settings) if repeats == 1 else None) for _ in range(repeats)]


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
    metrics: Mapping[str, Metric],
    hypotheses: Sequence[str],
    references: Sequence[tuple[str, ...]],
    likelihoods: Mapping[int, tuple[float, int]],
    model: FrozenModel,
) -> list[Score]:
    order = sorted(likelihoods)
    vocabulary = hashlib.sha256("\n".join(model.target.vocabulary.tokens).encode()).hexdigest()[:12]
    return [
        *(metric.score(hypotheses, references) for metric in metrics.values()),
        perplexity(
            [likelihoods[index][0] for index in order],
            [likelihoods[index][1] for index in order],
            vocabulary=vocabulary,
        ),
    ]
