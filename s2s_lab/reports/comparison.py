"""Rows compared on each split: means and intervals over seeds, paired tests over sentences, refusals."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from s2s_lab.faults import RequestError
from s2s_lab.metrics.all_pairs import Test
from s2s_lab.metrics.base import signature_kind
from s2s_lab.metrics.significance import t_interval
from s2s_lab.records.evaluation import Evaluation
from s2s_lab.reports.entries import Comparison, Entry, Measure, ScoreKind, SplitComparison
from s2s_lab.reports.numbers import OF_OUTPUTS
from s2s_lab.reports.runs import Collection, Row, Run
from s2s_lab.reports.strategy_labels import strategy_labels
from s2s_lab.reports.telling_apart import tell_apart
from s2s_lab.reports.vocabularies import counts_tokens, several_vocabularies

GIVEN_OUTPUTS = "outputs that were handed in (decoding=forced) are left out: they are the references"


def compare(
    collection: Collection,
    *,
    only: Sequence[str] | None = None,
    samples: int | None = None,
    test: Test = "bootstrap",
    apart: bool = False,
) -> Comparison:
    """Compare rows on every split they were evaluated on.

    Args:
        collection: The runs.
        only: Names of the scores to compare; all by default.
        samples: Resamples of each paired test; by default as many as the number of tests asks for.
        test: Which paired test.
        apart: Whether evaluations of one split on different data are compared apart, rather than refused.

    Raises:
        RequestError: If scores of one name have different signatures, evaluations of one split have different data, or
            the test does not fit the seeds.
    """
    names = _split_names(collection) if apart else {}
    by_split: dict[str, list[tuple[Row, Run, Evaluation]]] = {}
    given: set[str] = set()
    for row in collection.rows:
        for run in row.runs:
            for evaluation in run.evaluations:
                split = names.get(_data(evaluation), str(evaluation.facts["split"]))
                if evaluation.facts.get("given_outputs"):
                    given.add(split)
                    continue
                by_split.setdefault(split, []).append((row, run, evaluation))
    if only:
        known = {score["name"] for items in by_split.values() for _, _, item in items for score in item.facts["scores"]}
        for name in only:
            if name not in known:
                raise RequestError(f"--metrics {name}: no evaluation has it; recorded are {', '.join(sorted(known))}")
    splits = tuple(
        _compare_split(
            split,
            items,
            only,
            samples,
            test,
            elsewhere=[*_elsewhere(split, by_split), *([GIVEN_OUTPUTS] if split in given else [])],
        )
        for split, items in sorted(by_split.items())
    )
    evaluated = {entry.row.key for split in splits for entry in split.entries}
    unevaluated = tuple(row for row in collection.rows if row.key not in evaluated)
    return Comparison(collection.rows, splits, collection.leftovers, unevaluated, collection.differences)


def _data(evaluation: Evaluation) -> tuple[str, str]:
    return str(evaluation.facts["split"]), str(evaluation.facts.get("data_fingerprint"))


def _split_names(collection: Collection) -> dict[tuple[str, str], str]:
    """Name each split on each data: by the split alone where its data is one."""
    found = dict.fromkeys(_data(each) for row in collection.rows for run in row.runs for each in run.evaluations)
    splits = [split for split, _ in found]
    return {(split, data): split if splits.count(split) == 1 else f"{split} (data {data[:8]})" for split, data in found}


def _compare_split(
    split: str,
    items: Sequence[tuple[Row, Run, Evaluation]],
    only: Sequence[str] | None,
    samples: int | None,
    test: Test,
    *,
    elsewhere: Sequence[str],
) -> SplitComparison:
    _check_same_data(split, items)
    scores, notes = _common_scores(split, items, only)
    notes += elsewhere
    labels = strategy_labels([evaluation for _, _, evaluation in items])
    groups: dict[tuple[str, str], list[tuple[Row, Run, Evaluation]]] = {}
    for item, label in zip(items, labels, strict=True):
        groups.setdefault((item[0].key, label), []).append(item)
    entries = [_entry(strategy, members, scores) for (_, strategy), members in groups.items()]
    monitor, note = _monitor(entries, scores)
    ranked = tuple(_rank(entries, monitor))
    notes += [note] if note else []
    tests = 0
    if monitor is not None:
        statistics = [[evaluation.statistics(monitor.name) for evaluation in entry.evaluations] for entry in ranked]
        told = tell_apart(ranked, monitor, statistics if len(ranked) > 1 else [], test=test, samples=samples)
        ranked, tests = told.entries, told.tests
        notes += told.notes
    facts = items[0][2].facts
    return SplitComparison(
        split,
        facts["sentences"],
        str(facts.get("data_fingerprint")),
        tuple(scores),
        monitor,
        ranked,
        tuple(notes),
        test,
        tests,
    )


def check_common_split(comparison: Comparison) -> None:
    """Refuse rows that have no split in common.

    Raises:
        RequestError: If several rows were evaluated, but no split holds two of them.
    """
    rows = {split.split: {entry.row.key: entry.row.label for entry in split.entries} for split in comparison.splits}
    evaluated = {key for labels in rows.values() for key in labels}
    if len(evaluated) < 2 or any(len(labels) > 1 for labels in rows.values()):
        return
    where = ", ".join(f"{label} on {split}" for split, labels in rows.items() for label in labels.values())
    raise RequestError(f"the rows were scored on different splits ({where}); such scores cannot be compared")


def _elsewhere(split: str, by_split: Mapping[str, Sequence[tuple[Row, Run, Evaluation]]]) -> list[str]:
    """Name the rows that were evaluated, but not on this split."""
    present = {row.key for row, _, _ in by_split[split]}
    absent: dict[str, list[str]] = {}
    for other, items in by_split.items():
        for row, _, _ in items:
            if row.key not in present and other not in absent.setdefault(row.label, []):
                absent[row.label].append(other)
    named = [f"{label} (only {', '.join(sorted(splits))})" for label, splits in absent.items()]
    return [f"not evaluated on {split}: {', '.join(named)}"] if named else []


def _check_same_data(split: str, items: Sequence[tuple[Row, Run, Evaluation]]) -> None:
    _, first_run, first = items[0]
    for _, run, evaluation in items[1:]:
        for fact, what in (("sentences", "numbers of sentences"), ("data_fingerprint", "data")):
            ours, theirs = first.facts.get(fact), evaluation.facts.get(fact)
            if ours != theirs:
                raise RequestError(
                    f"{split}: {first_run.name} ({first.folder}) and {run.name} ({evaluation.folder}) were scored on "
                    f"different {what} ({_brief(ours)} and {_brief(theirs)}); such scores cannot be compared "
                    "(name fewer runs, or see them apart with s2s-report)"
                )


def _common_scores(
    split: str, items: Sequence[tuple[Row, Run, Evaluation]], only: Sequence[str] | None
) -> tuple[list[ScoreKind], list[str]]:
    kinds: dict[str, tuple[ScoreKind, Run]] = {}
    dropped: dict[str, str] = {}
    several = several_vocabularies(score["signature"] for _, _, each in items for score in each.facts["scores"])
    for _, run, evaluation in items:
        for score in evaluation.facts["scores"]:
            name, signature = score["name"], score["signature"]
            if name not in only if only else signature_kind(signature) in OF_OUTPUTS:
                continue
            if several and counts_tokens(signature):
                dropped[name] = f"{name} is left out: it was measured over different vocabularies"
                continue
            kind, first = kinds.setdefault(name, (ScoreKind(name, signature, score["higher_is_better"]), run))
            if kind.signature == signature:
                continue
            ours, theirs = _differing_fields(kind.signature, signature)
            raise RequestError(
                f"{split}: {name} of {first.name} and of {run.name} have different signatures ({ours} and {theirs}); "
                f"such scores cannot be compared (--metrics NAME,... chooses others)"
            )
    return [kind for kind, _ in kinds.values()], list(dropped.values())


def _entry(strategy: str, members: Sequence[tuple[Row, Run, Evaluation]], scores: Sequence[ScoreKind]) -> Entry:
    ordered = {id(run): (run, evaluation) for _, run, evaluation in members}  # of two that are alike in all the last
    runs = tuple(run for run, _ in ordered.values())
    evaluations = tuple(evaluation for _, evaluation in ordered.values())
    measures = {}
    for kind in scores:
        values = tuple(_value(evaluation, kind.name) for evaluation in evaluations)
        if all(math.isnan(value) for value in values):
            continue
        finite = all(map(math.isfinite, values))
        measures[kind.name] = Measure(values, t_interval(values) if finite else None)
    return Entry(members[0][0], strategy, runs, evaluations, measures)


def _value(evaluation: Evaluation, name: str) -> float:
    for score in evaluation.facts["scores"]:
        if score["name"] == name:
            return math.nan if score["value"] is None else float(score["value"])
    return math.nan


def _monitor(entries: Sequence[Entry], scores: Sequence[ScoreKind]) -> tuple[ScoreKind | None, str | None]:
    """Choose the score that ranks: the one that chose the checkpoints, if every entry has it."""
    common = [kind for kind in scores if all(_has(entry, kind) for entry in entries)]
    if not common:
        return None, "no score is known for every row, so nothing is ranked or tested"
    asked = {str((entry.row.configuration.get("metrics") or {}).get("monitor")) for entry in entries}
    for kind in common:
        if asked == {kind.name}:
            return kind, None
    wanted = ", ".join(sorted(asked))
    return common[0], f"ranked by {common[0].name}: the monitored score ({wanted}) is not one that every row has"


def _has(entry: Entry, kind: ScoreKind) -> bool:
    return kind.name in entry.measures and entry.measures[kind.name].interval is not None


def _rank(entries: Sequence[Entry], monitor: ScoreKind | None) -> list[Entry]:
    if monitor is None:
        return list(entries)

    def key(entry: Entry) -> float:
        interval = entry.measures[monitor.name].interval
        assert interval is not None
        return -interval.mean if monitor.higher_is_better else interval.mean

    return sorted(entries, key=key)


def _differing_fields(ours: str, theirs: str) -> tuple[str, str]:
    left, right = ours.split("|"), theirs.split("|")
    first = [part for part in left if part not in right]
    second = [part for part in right if part not in left]
    return "|".join(first) or ours, "|".join(second) or theirs


def _brief(value: Any) -> str:
    text = str(value)
    return text[:12] if len(text) > 24 else text
