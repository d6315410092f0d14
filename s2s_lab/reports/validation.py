"""What the trainings recorded of themselves, as splits of their own: how a sweep is read before it is decoded."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from s2s_lab.metrics.significance import t_interval
from s2s_lab.reports.entries import Comparison, Entry, Measure, ScoreKind, SplitComparison
from s2s_lab.reports.runs import Row, Run

NAME = "validation"
STRATEGY = "while training"
NOTE = (
    "The best of each training's validations, chosen on the same sentences and so optimistic; no outputs are kept of "
    "them, so rows are not tested against each other. s2s-evaluate decodes a split and makes that possible."
)


def shown_splits(comparison: Comparison) -> tuple[SplitComparison, ...]:
    """Give the splits that were decoded and, where rows were never decoded, the validations of all rows after them."""
    return (*comparison.splits, *(validations(comparison.rows) if comparison.unevaluated else ()))


def validations(rows: tuple[Row, ...]) -> tuple[SplitComparison, ...]:
    """Rank rows by the best value of the metric that chose their checkpoints.

    Args:
        rows: Rows; runs that record no validation are left out.

    Returns:
        A split for each kind of validation: same metric with the same settings, same data, equally many sentences.
        The kind with the most rows first.
    """
    groups: dict[str, dict[str, list[Run]]] = {}
    for row in rows:
        for run in row.runs:
            if best_validation(run) is not None:
                groups.setdefault(json.dumps(_kind(run), sort_keys=True), {}).setdefault(row.key, []).append(run)
    known = {row.key: row for row in rows}
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    names = [_name(json.loads(kind), [json.loads(other) for other in groups]) for kind, _ in ordered]
    unique = [f"{name} ({place})" if names.count(name) > 1 else name for place, name in enumerate(names, start=1)]
    return tuple(
        _split(name, json.loads(kind), [(known[key], tuple(runs)) for key, runs in members.items()])
        for name, (kind, members) in zip(unique, ordered, strict=True)
    )


def best_validation(run: Run) -> tuple[str, float] | None:
    """Give name and value of a run's best validation; None where it records none, or not which direction is better."""
    best = run.facts.get("best") or {}
    value = best.get("value")
    if "higher_is_better" not in (run.facts.get("validations") or {}):
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return str(best.get("metric")).removeprefix("validation/"), float(value)


def _kind(run: Run) -> dict[str, Any]:
    """What two validations must have in common to be compared."""
    found = best_validation(run)
    assert found is not None
    name = found[0]
    data = run.facts.get("data") or {}
    scores = (run.configuration.get("metrics") or {}).get("scores") or {}
    kind = {
        "metric": name,
        "higher": run.facts["validations"]["higher_is_better"],
        "settings": scores.get(name),
        "data": data.get("fingerprint"),
    }
    if name == "loss":  # it is counted in tokens, of all pairs
        of_pairs = {"vocabulary": data.get("vocabulary"), "objective": run.configuration.get("objective")}
        return {**kind, **of_pairs, "sentences": _pairs(data)}
    sample = (run.configuration.get("trainer") or {}).get("validation_sentences")
    sizes = [size for size in (sample, _pairs(data)) if isinstance(size, int)]
    return {**kind, "sentences": min(sizes, default=0)}


def _pairs(data: Mapping[str, Any]) -> Any:
    return (data.get("pairs") or {}).get("validation", 0)


def _name(kind: Mapping[str, Any], others: list[dict[str, Any]]) -> str:
    """Name a kind by as much as tells it apart."""
    parts = []
    if any(other["metric"] != kind["metric"] for other in others):
        parts.append(str(kind["metric"]))
    if any(other["data"] != kind["data"] for other in others):
        parts.append(f"data {str(kind['data'])[:8]}")
    if any(other["sentences"] != kind["sentences"] for other in others):
        parts.append(f"{kind['sentences']:,} sentences")
    return f"{NAME} ({', '.join(parts)})" if parts else NAME


def _split(name: str, kind: Mapping[str, Any], members: list[tuple[Row, tuple[Run, ...]]]) -> SplitComparison:
    signature = f"{kind['metric']}|best of all validations|sentences:{kind['sentences']}|data:{str(kind['data'])[:12]}"
    score = ScoreKind(str(kind["metric"]), signature, bool(kind["higher"]))
    entries = [_entry(row, runs, score) for row, runs in members]
    ranked = sorted(entries, key=lambda entry: _mean(entry, score), reverse=score.higher_is_better)
    entries = [replace(entry, best=place == 0) for place, entry in enumerate(ranked)]
    return SplitComparison(
        split=name,
        sentences=int(kind["sentences"]),
        fingerprint=str(kind["data"]),
        scores=(score,),
        monitor=score,
        entries=tuple(entries),
        notes=(NOTE,),
    )


def _entry(row: Row, runs: tuple[Run, ...], score: ScoreKind) -> Entry:
    values = tuple(best[1] for run in runs if (best := best_validation(run)) is not None)
    return Entry(row, STRATEGY, runs, (), {score.name: Measure(values, t_interval(values))})


def _mean(entry: Entry, score: ScoreKind) -> float:
    interval = entry.measures[score.name].interval
    assert interval is not None
    return interval.mean
