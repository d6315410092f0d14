"""The comparison as plain JSON: the same facts as the tables."""

import dataclasses
from pathlib import Path
from typing import Any

from s2s_lab.records.durable import write_json
from s2s_lab.reports.entries import LEVEL, Comparison, Entry, SplitComparison
from s2s_lab.reports.wording import explanation, headline

SCHEMA = 1


def comparison_facts(comparison: Comparison) -> dict[str, Any]:
    """Give everything a comparison says as nested plain values; numbers that are unknown are NaN or None."""
    return {
        "schema": SCHEMA,
        "level": LEVEL,
        "rows": [
            {
                "label": row.label,
                "row_hash": row.key,
                "seeds": row.seeds,
                "runs": [str(run.folder.path) for run in row.runs],
                **{fact: row.mean(fact) for fact in ("parameters", "seconds", "steps", "tokens_per_second")},
                "under_trained": row.under_trained,
            }
            for row in comparison.rows
        ],
        "splits": [_split_facts(split) for split in comparison.splits],
        "unevaluated": [row.label for row in comparison.unevaluated],
        "differences": {
            key: {row.label: value for row, value in zip(comparison.rows, values, strict=True)}
            for key, values in comparison.differences.items()
        },
        "leftovers": [
            {"run": str(item.run.folder.path), "name": item.run.name, "seed": item.run.seed, "reason": item.reason}
            for item in comparison.leftovers
        ],
    }


def write_facts(path: Path, comparison: Comparison) -> None:
    """Write `comparison_facts` as a JSON file; unknown numbers become null."""
    write_json(path, comparison_facts(comparison))


def _split_facts(split: SplitComparison) -> dict[str, Any]:
    return {
        "split": split.split,
        "sentences": split.sentences,
        "data_fingerprint": split.fingerprint,
        "monitor": None if split.monitor is None else split.monitor.name,
        "test": split.test,
        "tests": split.tests,
        "signatures": {kind.name: kind.signature for kind in split.scores},
        "headline": headline(split),
        "explanation": [*explanation(split), *split.notes],
        "entries": [_entry_facts(entry) for entry in split.entries],
    }


def _entry_facts(entry: Entry) -> dict[str, Any]:
    versus = entry.versus
    return {
        "row": entry.row.label,
        "strategy": entry.strategy,
        "seeds": [run.seed for run in entry.runs],
        "scores": {
            name: {
                "values": list(measure.values),
                **({} if measure.interval is None else dataclasses.asdict(measure.interval)),
            }
            for name, measure in entry.measures.items()
        },
        "sentences_per_second": entry.sentences_per_second,
        "best": entry.best,
        "versus_best": None if versus is None else {**dataclasses.asdict(versus.test), "p_holm": versus.p_value,
                                                    "worse": versus.worse,
                                                    "hedges_g": dataclasses.asdict(versus.effect)},
        "letters": entry.letters,
        "warnings": [warning for item in entry.evaluations for warning in item.facts.get("warnings") or []],
    }  # fmt: skip
