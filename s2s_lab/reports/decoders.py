"""The table of decoders: every run decoded with every strategy, quality against speed, and what the search missed."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from s2s_lab.faults import RequestError
from s2s_lab.metrics.all_pairs import paired_tests
from s2s_lab.metrics.base import signature_kind
from s2s_lab.metrics.recorded import aggregate_of
from s2s_lab.metrics.search_errors import MARGIN
from s2s_lab.metrics.significance import Interval, draw_counts, holm, weighted_sums
from s2s_lab.records.evaluation import Evaluation, read_evaluation
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.reports.comparison import GIVEN_OUTPUTS, Comparison
from s2s_lab.reports.decoder_records import Sentences, model_key, read_sentences
from s2s_lab.reports.decoder_rows import DecoderRow, DecoderTable
from s2s_lab.reports.entries import LEVEL, ScoreKind
from s2s_lab.reports.numbers import OF_OUTPUTS
from s2s_lab.reports.runs import row_labels
from s2s_lab.reports.strategy_labels import strategy_labels
from s2s_lab.reports.telling_apart import TEST_SEED

SAMPLES = 1000
OF_THE_MODEL = frozenset({"perplexity", "search_errors"})
"""Kinds of scores that say little of a strategy: what references get, and errors that the references alone show."""


def is_quality(score: Mapping[str, Any]) -> bool:
    """Whether a recorded score says how good outputs or a model are, not how outputs are."""
    return signature_kind(score["signature"]) not in OF_OUTPUTS


def decoder_tables(comparison: Comparison) -> dict[str, DecoderTable]:
    """Give the table of each split on which a run was decoded in several ways."""
    runs = [run.folder for row in comparison.rows for run in row.runs]
    tables = {}
    for split in comparison.splits:
        decoded = Counter(run.folder.path for entry in split.entries for run in entry.runs)
        if max(decoded.values(), default=0) > 1:
            facts = split.entries[0].evaluations[0].facts
            tables[split.split] = decoder_table(runs, str(facts["split"]), fingerprint=facts.get("data_fingerprint"))
    return tables


def decoder_table(
    runs: Sequence[RunFolder],
    split: str,
    *,
    only: Mapping[Path, str | None] | None = None,
    fingerprint: str | None = None,
    samples: int = SAMPLES,
) -> DecoderTable:
    """Compare all evaluations of runs on one split.

    Args:
        runs: Each once.
        split: As recorded.
        only: Resolved folders of the evaluations that get a row, with the label of each or None; by default all. The
            others count where search errors ask for the best known output.
        fingerprint: Of the data; evaluations on other data are no rows then.
        samples: Resamples of intervals and tests.

    Raises:
        RequestError: If a record cannot be read, or rows were scored on different data.
    """
    found = [(run, [each for each in map(read_evaluation, run.evaluation_folders()) if each.facts["split"] == split
                    and fingerprint in (None, each.facts.get("data_fingerprint"))]) for run in runs]  # fmt: skip
    chosen = [
        (number, each)
        for number, (_, evaluations) in enumerate(found)
        for each in evaluations
        if only is None or each.folder.resolve() in only
    ]
    every = len(chosen)
    chosen = [(number, each) for number, each in chosen if not each.facts.get("given_outputs")]
    _check_same_data(split, [each for _, each in chosen])
    sentences = {each.folder: read_sentences(each) for _, evaluations in found for each in evaluations}
    labels = _labels([each for _, each in chosen], only or {})
    kinds, notes = _kinds([each for _, each in chosen])
    notes += [GIVEN_OUTPUTS] if len(chosen) < every else []
    quality = _quality(
        [runs[number] for number in {number: None for number, _ in chosen}], [e for _, e in chosen], kinds
    )
    intervals = _intervals([each for _, each in chosen], sentences, kinds, samples)
    names = _run_labels(runs)
    rows = []
    for number, run in enumerate(runs):
        own = [place for place, (of, _) in enumerate(chosen) if of == number]
        errors = _search_errors(found[number][1], sentences)
        tested = _tests([chosen[place][1] for place in own], sentences, quality, samples)
        ranked = [
            _row(run, names[number], labels[place], chosen[place][1], intervals[place], errors, sentences, test)
            for place, test in zip(own, tested, strict=True)
        ]
        rows += sorted(ranked, key=lambda row: _rank(row, quality))
    count = chosen[0][1].facts["sentences"] if chosen else 0
    return DecoderTable(split, count, tuple(kinds), quality, tuple(_with_front(rows, quality)), tuple(notes))


Test = tuple[bool, float | None]
"""Whether a row leads its run, and its corrected p-value against the one that does."""


def _row(
    run: RunFolder,
    name: str,
    label: str,
    evaluation: Evaluation,
    scores: dict[str, Interval],
    errors: Mapping[Path, float],
    sentences: Mapping[Path, Sentences],
    test: Test,
) -> DecoderRow:
    facts = evaluation.facts
    return DecoderRow(
        run=name,
        seed=run.read().get("seed"),
        strategy=label,
        signature=str(facts.get("signature")),
        folder=evaluation.folder,
        scores=scores,
        sentences_per_second=facts.get("sentences_per_second"),
        tokens_per_second=facts.get("tokens_per_second"),
        search_errors=errors.get(evaluation.folder),
        proved=sentences[evaluation.folder].proved,
        best=test[0],
        p_value=test[1],
    )


def _check_same_data(split: str, evaluations: Sequence[Evaluation]) -> None:
    for each in evaluations[1:]:
        for fact in ("sentences", "data_fingerprint"):
            if each.facts.get(fact) != evaluations[0].facts.get(fact):
                raise RequestError(
                    f"{split}: {evaluations[0].folder} and {each.folder} were scored on different data; such scores "
                    "cannot be compared"
                )


def _labels(evaluations: Sequence[Evaluation], given: Mapping[Path, str | None]) -> list[str]:
    made = strategy_labels(evaluations)
    return [
        str(given.get(each.folder.resolve()) or each.facts.get("label") or label)
        for each, label in zip(evaluations, made, strict=True)
    ]


def _run_labels(runs: Sequence[RunFolder]) -> list[str]:
    """Name runs by their rows; those of one row with their seeds, and with their folders where these are the same."""
    names = row_labels(runs)
    seeded = [f"{name} seed {run.read().get('seed')}" if names.count(name) > 1 else name
              for name, run in zip(names, runs, strict=True)]  # fmt: skip
    return [f"{label} [{run.path.name}]" if seeded.count(label) > 1 else label
            for label, run in zip(seeded, runs, strict=True)]  # fmt: skip


def _kinds(evaluations: Sequence[Evaluation]) -> tuple[list[ScoreKind], list[str]]:
    kinds: dict[str, ScoreKind] = {}
    notes: dict[str, str] = {}
    for each in evaluations:
        for score in each.facts["scores"]:
            name, signature = score["name"], score["signature"]
            kind = kinds.setdefault(name, ScoreKind(name, signature, score["higher_is_better"]))
            if kind.signature != signature:
                notes[name] = f"{name} is left out: it was measured in different ways"
    return [kind for name, kind in kinds.items() if name not in notes], [
        note for name, note in notes.items() if signature_kind(kinds[name].signature) not in OF_THE_MODEL
    ]


def _quality(
    runs: Sequence[RunFolder], evaluations: Sequence[Evaluation], kinds: Sequence[ScoreKind]
) -> ScoreKind | None:
    """Choose the score that ranks: the one that chose the checkpoints, where every row has it."""
    own = [{score["name"] for score in each.facts["scores"] if score["value"] is not None} for each in evaluations]
    common = [
        kind
        for kind in kinds
        if signature_kind(kind.signature) not in OF_OUTPUTS | OF_THE_MODEL and all(kind.name in names for names in own)
    ]
    sections = [run.configuration().get("metrics") for run in runs]
    asked = {section.get("monitor") if isinstance(section, Mapping) else None for section in sections}
    return next((kind for kind in common if asked == {kind.name}), common[0] if common else None)


def _intervals(
    evaluations: Sequence[Evaluation], sentences: Mapping[Path, Sentences], kinds: Sequence[ScoreKind], samples: int
) -> list[dict[str, Interval]]:
    """Give the scores of each evaluation with their intervals; all of them of the same resamples."""
    found: list[dict[str, Interval]] = [{} for _ in evaluations]
    for kind in kinds:
        metric = aggregate_of(kind.name, kind.signature)
        values = [_value(each, kind) for each in evaluations]
        having = [
            place
            for place, each in enumerate(evaluations)
            if math.isfinite(values[place]) and kind.name in sentences[each.folder].statistics
        ]
        if not having:
            continue
        stacked = np.stack([sentences[evaluations[place].folder].statistics[kind.name] for place in having])
        resampled = metric.aggregate(weighted_sums(stacked, draw_counts, samples=samples, seed=TEST_SEED))
        low, high = np.nanpercentile(resampled, [2.5, 97.5], axis=0)
        for column, place in enumerate(having):
            ends = float(low[column]), float(high[column])
            found[place][kind.name] = Interval(values[place], *ends, n=stacked.shape[1])
    return found


def _value(evaluation: Evaluation, kind: ScoreKind) -> float:
    values = [score["value"] for score in evaluation.facts["scores"] if score["name"] == kind.name]
    return float(values[0]) if values and values[0] is not None else math.nan


def _search_errors(evaluations: Sequence[Evaluation], sentences: Mapping[Path, Sentences]) -> dict[Path, float]:
    """Give the share of search errors of a run's evaluations, by folder; none where probabilities are not its own."""
    groups: dict[str, list[Evaluation]] = {}
    for each in evaluations:
        if not each.facts.get("shortlist"):
            groups.setdefault(model_key(each), []).append(each)
    shares = {}
    for members in groups.values():
        known = np.max([sentences[each.folder].known for each in members], axis=0)
        for each in members:
            shares[each.folder] = float((known > sentences[each.folder].found + MARGIN).mean())
    return shares


def _tests(
    evaluations: Sequence[Evaluation], sentences: Mapping[Path, Sentences], quality: ScoreKind | None, samples: int
) -> list[Test]:
    """Test the evaluations of one run against the best of them."""
    if quality is None or not evaluations:
        return [(False, None)] * len(evaluations)
    sign = 1 if quality.higher_is_better else -1
    values = [sign * _value(each, quality) for each in evaluations]
    best = values.index(max(values))
    pairs = [(place, best) for place in range(len(evaluations)) if place != best]
    systems = [[sentences[each.folder].statistics[quality.name]] for each in evaluations]
    enough = max(samples, 2 * len(pairs) * round(1 / LEVEL))
    metric = aggregate_of(quality.name, quality.signature)
    found = paired_tests(metric, systems, pairs, samples=enough, seed=TEST_SEED)
    corrected = dict(zip(pairs, holm([found[pair].p_value for pair in pairs]), strict=True))
    return [(place == best, corrected.get((place, best))) for place in range(len(evaluations))]


def _rank(row: DecoderRow, quality: ScoreKind | None) -> tuple[float, float]:
    if quality is None:
        return 0.0, 0.0
    value = row.scores[quality.name].mean if quality.name in row.scores else math.nan
    worth = -value if quality.higher_is_better else value
    return (worth if math.isfinite(worth) else math.inf), -(row.sentences_per_second or 0.0)


def _with_front(rows: Sequence[DecoderRow], quality: ScoreKind | None) -> list[DecoderRow]:
    from dataclasses import replace

    points = {place: (-_rank(row, quality)[0], row.sentences_per_second) for place, row in enumerate(rows)}
    known = {place: (good, fast) for place, (good, fast) in points.items() if fast and math.isfinite(good)}
    if quality is None:
        known = {}
    front = {place for place, point in known.items() if not any(_dominates(other, point) for other in known.values())}
    return [replace(row, on_front=place in front) for place, row in enumerate(rows)]


def _dominates(other: tuple[float, float], point: tuple[float, float]) -> bool:
    return other[0] >= point[0] and other[1] >= point[1] and other != point
