"""What the page's charts and its sentence browser draw, as nested plain values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from s2s_lab.metrics.significance import Interval
from s2s_lab.records.curves import curve, read_curves
from s2s_lab.reports.beam_curves import beam_curves
from s2s_lab.reports.beam_trees import beam_trees
from s2s_lab.reports.decoder_chart import DecoderTable, decoder_chart
from s2s_lab.reports.entries import Comparison, Entry, ScoreKind, SplitComparison
from s2s_lab.reports.frequency import EDGES, frequency_scores, group_label, training_counts
from s2s_lab.reports.lengths import bucket_label, bucket_of, length_buckets, score_in_buckets
from s2s_lab.reports.numbers import digits_for, title_of, unit_of, unit_of_curve
from s2s_lab.reports.outputs import browser
from s2s_lab.reports.runs import Row
from s2s_lab.reports.search_errors import search_errors
from s2s_lab.reports.settings import Setting
from s2s_lab.reports.study_section import StudyView, measured_groups
from s2s_lab.reports.sweep import axes_of, axis_data, importance_data
from s2s_lab.reports.trials import searches_in
from s2s_lab.reports.validation import shown_splits
from s2s_lab.reports.wording import mark

MOST_POINTS = 400
"""Points of one learning curve; of longer ones every n-th is kept."""


@dataclass(frozen=True)
class Limits:
    """How much of the sentences goes into the page.

    Attributes:
        sentences: Sentences of each split in the browser, evenly spaced over the split.
        attention: Sentences with attention for each entry.
        searches: Folders of experiments whose records of a search may be read; None for those of all runs shown.
    """

    sentences: int = 200
    attention: int = 12
    searches: frozenset[Path] | None = None


def page_data(
    comparison: Comparison,
    limits: Limits,
    study: StudyView | None = None,
    tables: Mapping[str, DecoderTable] | None = None,
) -> dict[str, Any]:
    """Give all that the page draws.

    Args:
        comparison: What it shows.
        limits: How many sentences it carries.
        study: Whose measurements it shows.
        tables: Split -> its table of decoders.
    """
    order = {row.key: position for position, row in enumerate(comparison.rows)}
    axes = axes_of(comparison)
    return {
        "rows": [row.label for row in comparison.rows],
        "curves": curves(comparison.rows),
        "axes": axis_data(axes),
        "searches": searches_in(
            folder
            for folder in {run.folder.path.parent for row in comparison.rows for run in row.runs}
            if limits.searches is None or folder in limits.searches
        ),
        "splits": [
            _split(split, order, limits, axes, (tables or {}).get(split.split)) for split in shown_splits(comparison)
        ],
        "study": measured_groups(study.measured) if study else [],
    }


def curves(rows: Sequence[Row]) -> dict[str, Any]:
    """Give the learning curves of all runs.

    Returns:
        `names` of the curves, monitored and validation ones first; `suffixes`, the units of those that have one;
        `runs`, each with row, seed and its curves as step, seconds (None where the record has none) and value.
    """
    names: dict[str, None] = {}
    runs = []
    for position, row in enumerate(rows):
        for run in row.runs:
            columns = read_curves(run.folder.metrics_csv)
            drawn = {}
            for name in columns:
                if name in ("epoch", "step", "seconds"):
                    continue
                steps, values = curve(columns, name)
                if not len(values):
                    continue
                kept = _thinned(len(values))
                _, seconds = curve(columns, "seconds", over=name)
                times = seconds[kept].tolist() if len(seconds) == len(values) else None
                drawn[name] = {
                    "step": steps[kept].tolist(),
                    "seconds": times,
                    "value": (values[kept] * unit_of_curve(name).factor).tolist(),
                }
                names[name] = None
            runs.append({"row": position, "seed": str(run.seed), "series": drawn})
    monitors = {f"validation/{(row.configuration.get('metrics') or {}).get('monitor')}" for row in rows}
    ranked = sorted(names, key=lambda name: (name not in monitors, "loss" not in name, name.startswith("train/"), name))
    suffixes = {name: unit.suffix for name in ranked if (unit := unit_of_curve(name)).suffix}
    return {"names": ranked, "suffixes": suffixes, "runs": runs}


def _split(
    split: SplitComparison, order: dict[str, int], limits: Limits, axes: list[Setting], table: DecoderTable | None
) -> dict[str, Any]:
    strategies = list(dict.fromkeys(entry.strategy for entry in split.entries))
    scores = {
        "name": split.split,
        "decoded": split.decoded,
        "sentences": split.sentences,
        "monitor": None if split.monitor is None else split.monitor.name,
        "scores": [_score(kind, split) for kind in split.scores],
        "entries": [_entry(entry, split, order, strategies) for entry in split.entries],
        "importance": importance_data(split, list(order), axes),
    }
    return {**scores, **_outputs(split, order, limits, table)} if split.decoded else scores


def _outputs(
    split: SplitComparison, order: dict[str, int], limits: Limits, table: DecoderTable | None
) -> dict[str, Any]:
    """What is drawn of outputs, sentence by sentence."""
    return {
        "lengths": _lengths(split),
        "frequency": _frequency(split),
        "browser": browser(split, limits.sentences),
        "attention": _attention(split, limits.attention),
        "decoders": None if table is None else decoder_chart(table, split, order),
        "beam_curves": beam_curves(split, order),
        "search_errors": search_errors(split),
        "beam_trees": beam_trees(split),
    }


def _score(kind: ScoreKind, split: SplitComparison) -> dict[str, Any]:
    unit = unit_of(kind.signature)
    shown = [value * unit.factor for entry in split.entries if kind.name in entry.measures
             for value in entry.measures[kind.name].values]  # fmt: skip
    return {
        "name": kind.name,
        "title": title_of(kind.name),
        "suffix": unit.suffix,
        "higher": kind.higher_is_better,
        "low": unit.low,
        "high": unit.high,
        "digits": digits_for(shown),
    }


def _entry(entry: Entry, split: SplitComparison, order: dict[str, int], strategies: list[str]) -> dict[str, Any]:
    scores = {}
    for kind in split.scores:
        measure = entry.measures.get(kind.name)
        if measure is None or measure.interval is None:
            continue
        factor = unit_of(kind.signature).factor
        scores[kind.name] = {
            "values": [value * factor for value in measure.values],
            **_interval(measure.interval, factor),
        }
    return {
        "row": order[entry.row.key],
        "strategy": entry.strategy,
        "symbol": strategies.index(entry.strategy),
        "label": entry.label,
        "seeds": [str(run.seed) for run in entry.runs],
        "best": entry.best,
        "mark": mark(entry),
        "letters": entry.letters,
        "p": None if entry.versus is None else entry.versus.p_value,
        "speed": entry.sentences_per_second,
        "scores": scores,
    }


def _interval(interval: Interval, factor: float) -> dict[str, float | None]:
    return {
        "mean": interval.mean * factor,
        "low": interval.low * factor if interval.n > 1 else None,
        "high": interval.high * factor if interval.n > 1 else None,
    }


def _lengths(split: SplitComparison) -> dict[str, Any]:
    segments = split.entries[0].evaluations[0].segments() if split.entries else []
    statistics = {
        (position, kind.name): [evaluation.statistics(kind.name) for evaluation in entry.evaluations]
        for position, entry in enumerate(split.entries)
        for kind in split.scores
        if kind.name in entry.measures
    }
    found = {}
    for side in ("source", "reference"):
        lengths = np.array([segment[f"{side}_length"] for segment in segments], dtype=np.int64)
        buckets = length_buckets(lengths)
        membership = bucket_of(lengths, buckets)
        found[side] = {
            "labels": [bucket_label(bucket) for bucket in buckets],
            "counts": np.bincount(membership, minlength=len(buckets)).tolist(),
            "series": {
                kind.name: [
                    _scaled(score_in_buckets(kind, statistics[position, kind.name], membership, len(buckets)), kind)
                    if (position, kind.name) in statistics
                    else None
                    for position in range(len(split.entries))
                ]
                for kind in split.scores
            },
        }
    return found


def _scaled(values: list[float], kind: ScoreKind) -> list[float]:
    return [value * unit_of(kind.signature).factor for value in values]


def _frequency(split: SplitComparison) -> dict[str, Any] | None:
    if not split.entries:
        return None
    recorded = split.entries[0].runs[0].folder.word_counts()
    if not recorded:
        return None
    counts = training_counts(recorded)
    references = split.entries[0].evaluations[0].references()
    scores = [
        frequency_scores(counts, [evaluation.hypotheses() for evaluation in entry.evaluations], references)
        for entry in split.entries
    ]
    groups = [group for group in range(len(EDGES)) if any(score.expected[group] for score in scores)]
    return {
        "labels": [group_label(group) for group in groups],
        "counts": [scores[0].expected[group] // len(split.entries[0].evaluations) for group in groups],
        "series": {
            "f1": [[score.f1(group) for group in groups] for score in scores],
            "recall": [[score.recall(group) for group in groups] for score in scores],
            "precision": [[score.precision(group) for group in groups] for score in scores],
        },
    }


def _attention(split: SplitComparison, most: int) -> list[dict[str, Any]]:
    found = []
    for position, entry in enumerate(split.entries):
        kept = entry.evaluations[0].attention()
        sentences = [
            {
                "index": index,
                "source": list(kept[index].source_tokens),
                "target": list(kept[index].target_tokens),
                "weights": np.round(kept[index].weights.astype(np.float64), 3).tolist(),
            }
            for index in sorted(kept)[:most]
        ]
        if sentences:
            found.append({"entry": position, "seed": str(entry.runs[0].seed), "sentences": sentences})
    return found


def _thinned(length: int) -> np.ndarray:
    if length <= MOST_POINTS:
        return np.arange(length)
    return np.unique(np.append(np.arange(0, length, math.ceil(length / MOST_POINTS)), length - 1))
