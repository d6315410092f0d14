"""Evaluates frozen runs: decodes a split, scores it, and records both in the run folder."""

import functools
import hashlib
import json
import os
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from s2s_lab.assemble.inference import build_metrics, build_strategy, choose_device, load_model
from s2s_lab.assemble.instantiation import build, check_kind
from s2s_lab.assemble.preparation import corpus_elsewhere
from s2s_lab.assemble.shortlist import facts_of, shortlist_of
from s2s_lab.assemble.together import together_of
from s2s_lab.data.corpora.base import Corpus
from s2s_lab.faults import RequestError
from s2s_lab.inference.decode import Decoded, decode
from s2s_lab.inference.frozen import FrozenModel, length_sorted_batches
from s2s_lab.metrics.base import Metric, Score
from s2s_lab.metrics.perplexity import perplexity
from s2s_lab.metrics.quality import quality_warnings
from s2s_lab.metrics.search_errors import SearchErrors
from s2s_lab.records.configuration import configuration_hash
from s2s_lab.records.evaluation import Alignment, write_evaluation
from s2s_lab.records.run_folder import RunFolder, find_runs


def evaluate_runs(settings: Mapping[str, Any]) -> Iterator[tuple[RunFolder, Path, dict[str, Any]]]:
    """Evaluates every run that the settings name, one after the other.

    Args:
        settings: plain conf/evaluate.yaml.

    Yields:
        The run, its new evaluation folder, and the facts written to scores.json.

    Raises:
        RequestError: if no run is named, a run is not finished, or its corpus cannot be read.
    """
    if not settings["runs"]:
        raise RequestError("runs=[DIR,...] is missing: name run folders, or folders that hold them")
    named = settings["runs"]
    runs = find_runs([named] if isinstance(named, str) else named)
    unfinished = [str(run.path) for run in runs if run.read().get("status") != "finished"]
    runs = [run for run in runs if str(run.path) not in unfinished]
    if not runs:
        raise RequestError(f"{unfinished[0]}: this run has no finished model")
    for path in unfinished:
        print(f"left out, no finished model: {path}", file=sys.stderr)
    device = choose_device(settings["accelerator"])
    torch.set_num_threads(settings["num_threads"] or len(os.sched_getaffinity(0)))
    torch.set_float32_matmul_precision(settings["matmul_precision"])
    for run in runs:
        folder, facts = evaluate(run, settings, device)
        yield run, folder, facts


def evaluate(run: RunFolder, settings: Mapping[str, Any], device: torch.device) -> tuple[Path, dict[str, Any]]:
    """Decodes and scores one split with one run's model and records it.

    Args:
        run: a finished run.
        settings: plain conf/evaluate.yaml.
        device: where decoding happens.

    Returns:
        The evaluation folder and the facts written to scores.json.
    """
    model = load_model(run.path, device=device, precision=settings["precision"])
    strategy = build_strategy(settings["decoding"], settings.get("constraint"), model.target)
    split, sources, references, warnings = _texts(run, settings)
    kept = frozenset(range(min(len(sources), settings["attention_sentences"])))
    source_ids = [model.source.ids(line) for line in sources]
    target_ids = [model.target.ids(accepted[0]) for accepted in references]
    size, oracle = settings["batch_sentences"], settings.get("oracle_length", False)
    load = functools.partial(load_model, device=device, precision=settings["precision"])
    together = together_of(settings, run.path, model, load=load, device=device)
    shortlist = shortlist_of(run, model, settings["paths"].get("data")) if settings["shortlist"] else None
    batches_of = length_sorted_batches if shortlist is None else shortlist.batches
    decoded, passes = _passes(
        lambda: together.reranked(
            decode(
                together.network, strategy, batches_of(source_ids, sentences=size), device=device, weights_of=kept,
                shortlist=shortlist, exact_lengths=[len(ids) - 1 for ids in target_ids] if oracle else None,
            ),
            sources,
        ),
        settings["repeats"],
    )  # fmt: skip
    scored = length_sorted_batches(source_ids, target_ids, sentences=size)
    likelihoods = together.likelihoods(scored)
    hypotheses = [model.target.line(best.ids) for best in decoded.best]
    scores = _scores(_metrics(run, settings), hypotheses, references, likelihoods, model)
    if shortlist is None:  # else the outputs' log-probabilities are those of fewer symbols
        found = [best.log_prob for best in decoded.best]
        scores.append(SearchErrors().score(found, [likelihoods[index][0] for index in sorted(likelihoods)]))
    scores = [score for score in scores if together.normalised or score.name != "perplexity"]
    scores += together.scores(source_ids, decoded)
    fingerprint = hashlib.sha256(json.dumps([sources, references]).encode()).hexdigest()
    facts = {
        "split": split,
        "strategy": strategy.name,
        "signature": together.signature(strategy.signature(exact=oracle)),
        **together.facts(),
        "configuration": settings["decoding"],
        "constraint": settings.get("constraint", {}),
        "data_fingerprint": fingerprint,
        "precision": settings["precision"],
        "device": str(device),
        "shortlist": facts_of(shortlist, size),
        **_speed(passes, len(sources), decoded.tokens),
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
    identity = {key: facts[key] for key in ("signature", "configuration", "precision", "data_fingerprint")}
    identity |= {"constraint": settings["constraint"]} if settings.get("constraint") else {}
    identity |= {} if shortlist is None else {"shortlist": facts["shortlist"]}
    folder = run.evaluation(split, strategy.name, configuration_hash(identity))
    write_evaluation(
        folder,
        facts=facts,
        sources=sources,
        references=references,
        hypotheses=hypotheses,
        nbest=_nbest(model, decoded),
        segments=_segments(source_ids, target_ids, decoded, scores),
        attention=_alignments(model, source_ids, decoded, kept),
    )
    run.update({"scores": {f"{split}/{folder.name}": {score.name: score.value for score in scores}}})
    return folder, facts


def _passes(decode_all: Callable[[], Decoded], repeats: int) -> tuple[Decoded, list[float]]:
    """What the first of several passes gave, and the seconds of each."""
    first = decode_all()
    return first, [first.seconds, *(decode_all().seconds for _ in range(repeats - 1))]


def _speed(passes: Sequence[float], sentences: int, tokens: int) -> dict[str, Any]:
    """The speed of the median pass, the faster of two in the middle, and the seconds of all."""
    seconds = statistics.median_low(passes)
    return {
        "seconds": round(seconds, 4),
        "passes": [round(each, 4) for each in passes],
        "sentences_per_second": round(sentences / seconds, 2),
        "tokens_per_second": round(tokens / seconds, 2),
    }


class _Texts(NamedTuple):
    """What is decoded and what it is compared with.

    Attributes:
        split: canonical name of the split.
        sources: raw source lines.
        references: accepted references of each, raw.
        warnings: what a reader of the scores should know of them.
    """

    split: str
    sources: list[str]
    references: list[tuple[str, ...]]
    warnings: list[str]


def _texts(run: RunFolder, settings: Mapping[str, Any]) -> _Texts:
    """Texts of the split, from the run's own corpus or from `paths.data`."""
    configuration = run.configuration()
    data, job = _section(configuration, "data"), _section(configuration, "job")
    check_kind(data.get("corpus"), Corpus, "data.corpus")
    corpus = build(corpus_elsewhere(configuration, settings["paths"].get("data")), "data.corpus")
    split = corpus.canonical(settings["split"])
    trained_on = job.get("corpus_fingerprint")
    changed = trained_on is not None and trained_on != corpus.fingerprint()
    warnings = ["the corpus is not the one that the model was trained on: its files differ"] if changed else []
    sources = [source for source, _ in corpus.pairs(split)]
    return _Texts(split, sources, [tuple(accepted) for accepted in corpus.references(split)], warnings)


def _section(configuration: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A section of a run's configuration; empty where it has none."""
    section = configuration.get(key)
    return section if isinstance(section, Mapping) else {}


def _metrics(run: RunFolder, settings: Mapping[str, Any]) -> dict[str, Metric]:
    return build_metrics(settings["metrics"] or _section(run.configuration(), "metrics"))


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


def _nbest(model: FrozenModel, decoded: Decoded) -> Iterable[list[dict[str, Any]]]:
    for index in sorted(decoded.hypotheses):
        yield [
            {
                "text": model.target.line(item.ids),
                "tokens": model.target.tokens(item.ids),
                "log_prob": item.log_prob,
                "score": item.score,
                "finished": item.finished,
            }
            for item in decoded.hypotheses[index]
        ]


def _segments(
    source_ids: Sequence[Sequence[int]],
    target_ids: Sequence[Sequence[int]],
    decoded: Decoded,
    scores: Sequence[Score],
) -> Iterable[dict[str, Any]]:
    for index, best in enumerate(decoded.best):
        yield {
            "index": index,
            "source_length": len(source_ids[index]) - 1,
            "reference_length": len(target_ids[index]) - 1,
            "hypothesis_length": len(best.ids),
            "log_prob": best.log_prob,
            "score": best.score,
            "statistics": {score.name: score.statistics[index].tolist() for score in scores},
        }


def _alignments(
    model: FrozenModel, source_ids: Sequence[Sequence[int]], decoded: Decoded, kept: frozenset[int]
) -> dict[int, Alignment]:
    found = {}
    for index in sorted(kept):
        best = decoded.hypotheses[index][0]
        if best.weights is None:
            continue
        source_tokens = [*model.source.tokens(source_ids[index]), "</s>"]
        target_tokens = [*model.target.tokens(best.ids), *(["</s>"] if best.finished else [])]
        weights = best.weights.float().cpu().numpy()[: len(target_tokens), : len(source_tokens)]
        found[index] = Alignment(weights, source_tokens, target_tokens)
    return found
