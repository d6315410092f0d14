"""Scores and lengths against the size of the beam: which recorded evaluations make one line."""

import json
import re
from typing import Any

from s2s_lab.metrics.base import signature_fields
from s2s_lab.records.configuration import differing_keys
from s2s_lab.records.evaluation import Evaluation
from s2s_lab.reports.entries import Entry, SplitComparison
from s2s_lab.reports.runs import short

FEWEST_SIZES = 3
"""A row has lines when it was decoded with so many sizes."""

ALONG = ("size", "num_hypotheses")
"""Options of a strategy that may differ along a line: its axis, and the length of the n-best list."""

ARITHMETIC = ("precision", "shortlist")
CONDITIONS = ("constraint", "demands", "replace_unknown")
"""Facts of an evaluation beside its strategy that change its outputs."""

BESIDE = ("length", "together", "language_model", "rerank", "wait_k")
"""Fields of a signature that do so too: given lengths, and what decoded together with the model."""


def beam_curves(split: SplitComparison, order: dict[str, int]) -> list[dict[str, Any]]:
    """Give the lines of the rows that were decoded with several beam sizes.

    Evaluations lie on one line when nothing that changes their outputs differs but the size; where a size was recorded
    with n-best lists of several lengths, the shortest list counts.

    Args:
        split: The entries.
        order: Row key -> its place among the rows.

    Returns:
        For each line `row`, `label` (unique), and `points` by size: size, position of the entry, and ratio, the tokens
        of all outputs over those of all references, averaged over seeds (None where the record does not tell).
    """
    lines: dict[str, dict[int, int]] = {}
    settings: dict[str, dict[str, Any]] = {}
    for position, entry in enumerate(split.entries):
        size = _options(entry).get("size")
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            continue
        own = _setting(entry)
        key = json.dumps([entry.row.key, own], sort_keys=True, default=str)
        settings[key] = own
        points = lines.setdefault(key, {})
        if size not in points or _list_length(entry) < _list_length(split.entries[points[size]]):
            points[size] = position
    sizes_of_row: dict[str, set[int]] = {}
    for points in lines.values():
        row = _row(split, points)
        sizes_of_row.setdefault(row, set()).update(points)
    drawn = [
        key
        for key, points in lines.items()
        if len(points) > 1 and len(sizes_of_row[_row(split, points)]) >= FEWEST_SIZES
    ]
    labels = _labels([split.entries[min(lines[key].values())] for key in drawn], [settings[key] for key in drawn])
    return [
        {
            "row": order[_row(split, lines[key])],
            "label": label,
            "points": [
                {"size": size, "entry": position, "ratio": _length_ratio(split.entries[position])}
                for size, position in sorted(lines[key].items())
            ],
        }
        for key, label in zip(drawn, labels, strict=True)
    ]


def normalisation(penalty: Any) -> str:
    """Name a length penalty by its configuration: `none`, `average`, or with its options, as `GNMT alpha 0.6`."""
    if not isinstance(penalty, dict):
        return "none" if penalty is None else short(penalty)
    name = str(penalty.get("_target_", "unknown")).rsplit(".", 1)[-1]
    if name == "NoPenalty":
        return "none"
    words = name if name.isupper() else re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    options = [(key, short(value)) for key, value in penalty.items() if not key.startswith("_")]
    return " ".join([words, *(value if words.endswith(key) else f"{key} {value}" for key, value in options)])


def _labels(entries: list[Entry], settings: list[dict[str, Any]]) -> list[str]:
    """Name lines by what tells them apart: row, strategy, normalisation, and what else differs."""
    rows = {entry.row.key for entry in entries}
    differences = differing_keys(settings) if len(settings) > 1 else {}
    labels = []
    for place, (entry, own) in enumerate(zip(entries, settings, strict=True)):
        parts = [entry.row.label] if len(rows) > 1 else []
        parts += [str(own["strategy"])] if "strategy" in differences else []
        parts.append(f"normalisation {own['normalisation']}")
        parts += [
            f"{key.rsplit('.', 1)[-1]} {short(values[place])}"
            for key, values in differences.items()
            if key not in ("strategy", "normalisation") and not key.endswith("_target_")
        ]
        labels.append(" · ".join(parts))
    return labels


def _setting(entry: Entry) -> dict[str, Any]:
    """Give all that must agree along a line."""
    facts, options = entry.evaluations[0].facts, _options(entry)
    fields = signature_fields(str(facts.get("signature")))
    return {
        "strategy": facts["strategy"],
        "normalisation": normalisation(options.get("length_penalty")),
        **{key: value for key, value in options.items() if key not in (*ALONG, "length_penalty")},
        **{key: facts[key] for key in (*ARITHMETIC, *CONDITIONS) if facts.get(key)},
        **{key: fields[key] for key in BESIDE if key in fields},
    }


def _options(entry: Entry) -> dict[str, Any]:
    found = entry.evaluations[0].facts.get("configuration")
    return found if isinstance(found, dict) else {}


def _list_length(entry: Entry) -> int:
    found = _options(entry).get("num_hypotheses")
    return found if isinstance(found, int) else 1


def _row(split: SplitComparison, points: dict[int, int]) -> str:
    return split.entries[min(points.values())].row.key


def _length_ratio(entry: Entry) -> float | None:
    ratios = [_length_ratio_of(evaluation) for evaluation in entry.evaluations]
    known = [ratio for ratio in ratios if ratio is not None]
    return sum(known) / len(known) if len(known) == len(ratios) else None


def _length_ratio_of(evaluation: Evaluation) -> float | None:
    segments = evaluation.segments()
    lengths = [segment.get("hypothesis_length") for segment in segments]
    expected = sum(segment["reference_length"] for segment in segments)
    known = [length for length in lengths if isinstance(length, int)]
    return sum(known) / expected if expected and len(known) == len(lengths) else None
