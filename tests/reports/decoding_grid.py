"""Runs decoded with many strategies, with traces of their searches and a table of them all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s2s_lab.metrics.significance import Interval
from s2s_lab.reports.comparison import compare
from s2s_lab.reports.entries import Comparison, SplitComparison
from s2s_lab.reports.runs import collect
from tests.reports.synthetic import HOSTILE, evaluate, sentences, write_run
from tests.reports.traced import write_beams

SIZES = (1, 4, 16)
WORDS = ("der", "Mann", "läuft", "im", "Park", HOSTILE)
PENALTIES = ("Average", "NoPenalty")


@dataclass(frozen=True)
class Row:
    """A line of a table of decoders."""

    run: str
    strategy: str
    folder: Path
    signature: str
    scores: Mapping[str, Interval]
    sentences_per_second: float | None
    tokens_per_second: float | None
    search_errors: float | None


@dataclass(frozen=True)
class Table:
    """A table of decoders."""

    rows: Sequence[Row]


def write_grid(root: Path, *, models: Sequence[str] = ("gru", "lstm"), count: int = 30) -> Path:
    """Write a greedy evaluation and beams of three sizes with two normalisations; three sentences have their trace."""
    made = sentences(count)
    for number, model in enumerate(models):
        run = write_run(root, model, 1, made=made, strategies=())
        greedy = np.random.default_rng(number).normal(-8, 1.5, size=count).tolist()
        evaluate(run, "greedy", made, 0.6 + 0.1 * number, 1, log_probs=greedy)
        for place, size in enumerate(SIZES):
            for penalty in PENALTIES:
                path = f"s2s_lab.decoding.length_penalty.{penalty}"
                folder = evaluate(
                    run,
                    "beam",
                    made,
                    0.62 + 0.1 * number + 0.05 * place - 0.03 * (penalty == "NoPenalty") * place,
                    1,
                    options={"size": size, "length_penalty": {"_target_": path}},
                    facts={
                        "signature": f"beam|size:{size}|norm:{penalty.lower()}|max:200",
                        "sentences_per_second": 300 / size - 5 * number,
                        "tokens_per_second": 4000 / size,
                    },
                    log_probs=np.random.default_rng(size + number).normal(-8 + place, 1.5, size=count).tolist(),
                )
                write_beams(folder, made.sources[:3], WORDS, size=size, limit=9, recombine=penalty == "Average")
    return root


def grid_comparison(root: Path) -> Comparison:
    """Write and compare the runs of a grid."""
    return compare(collect([write_grid(root)]), samples=10)


def table_of(split: SplitComparison) -> Table:
    """Make up the table of a split: its own scores with intervals of a fixed width, and some hostile signatures."""
    rows = []
    for place, entry in enumerate(split.entries):
        for run, evaluation in zip(entry.runs, entry.evaluations, strict=True):
            scores = {
                name: Interval(measure.values[0], measure.values[0] * 0.95, measure.values[0] * 1.05, 1000)
                for name, measure in entry.measures.items()
            }
            signature = (
                f"{evaluation.facts['signature']}|{HOSTILE}" if place == 0 else str(evaluation.facts["signature"])
            )
            speed = None if place == 2 else entry.sentences_per_second
            run_label = f"{entry.row.label}, seed {run.seed}"
            errors = 0.01 * place
            rows.append(Row(run_label, entry.strategy, evaluation.folder, signature, scores, speed, speed, errors))
    return Table(rows)


def tables_of(comparison: Comparison) -> dict[str, Table]:
    """Make up the table of every split."""
    return {split.split: table_of(split) for split in comparison.splits}
