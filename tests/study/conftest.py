"""A small study on the disk with run folders as trainings leave them."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from s2s_lab.assemble.study import ComposedRow, StudyComposer
from s2s_lab.metrics.exact_match import ExactMatch
from s2s_lab.metrics.token_accuracy import TokenAccuracy
from s2s_lab.records.evaluation import write_evaluation
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.records.study_file import Study, read_study
from tests.reports.synthetic import hypotheses, sentences

STUDY = """
title: Reversing letters
citation: Nobody, 2026
source: https://example.org/paper
about: "Smaller than the <paper's>."
seeds: [1, 2, 3]
base: {data: reverse, data.size: 60, debug: tiny, trainer.max_steps: 4, trainer.validate_every: 2,
       trainer.validation_sentences: 6, trainer.log_every: 1, trainer.num_threads: 1, logger: csv, callbacks: quiet}
evaluations:
  greedy: {split: test, decoding: greedy, attention_sentences: 0}
  beam: {decoding: beam, decoding.size: 2, attention_sentences: 0}
rows:
  plain:
    title: no attention
    set: {model: gru}
    grid: {cell: [gru, lstm]}
    priority: 20
  attention:
    set: {model: gru_attention}
    seeds: [1, 2]
    evaluations: [greedy]
  later:
    set: {model: nothing_yet}
    needs: the option model=nothing_yet
claims:
  solved: {kind: value, row: attention, score: token_accuracy, published: 90, tolerance: 60, says: it is | solved}
  helps: {kind: order, better: {row: attention}, worse: {row: plain}, score: exact_match, source: section 3}
  cells: {kind: trend, rows: ["plain[cell=gru]", "plain[cell=lstm]", attention], direction: rises,
          score: token_accuracy}
  new: {kind: value, row: later, score: exact_match, published: 50.5, side: at_least}
"""


def write_study(root: Path, text: str = STUDY, name: str = "toy") -> Path:
    """A study's folder below `experiments`."""
    folder = root / "experiments" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    return folder


def compose(study: Study, outputs: Path) -> list[ComposedRow]:
    composer = StudyComposer(study, [f"paths.outputs={outputs}"])
    return composer.compose([row for row in study.rows if row.needs is None], check=False)


def write_run(
    composed: ComposedRow, seed: int, *, status: str = "finished", evaluations: Sequence[str] = ()
) -> RunFolder:
    """A run folder of one training as it would lie there; `evaluations` all the row's unless named."""
    job = composed.jobs[seed]
    folder = job.create_folder()
    folder.update({"git": {"commit": "0" * 40, "dirty": False}, "versions": {"python": "3.11.7", "torch": "2.13.0"},
                   "machine": {"cpu": "Example 9000", "cores": 2, "memory_gb": 16.0}, "parameters": 1000,
                   "started": f"2026-11-21T01:00:0{seed}+00:00"})  # fmt: skip
    if status != "running":
        folder.finish(status, {"seconds": 60.0 + seed, "steps": 4, "under_trained": {"flag": False, "reason": ""}})
    if status == "finished":
        for name in evaluations or composed.asked:
            write_scores(folder, composed, name, seed)
    return folder


def write_scores(folder: RunFolder, composed: ComposedRow, name: str, seed: int, *, fingerprint: str = "feed") -> None:
    """An evaluation with real scores of made-up outputs; attention is better than none."""
    asked, made = composed.asked[name], sentences(40, hostile=False)
    quality = 0.9 if composed.row.name == "attention" else 0.5
    outputs = hypotheses(made, quality=quality, seed=seed)
    scores = [metric.score(outputs, made.references) for metric in (ExactMatch(), TokenAccuracy())]
    facts = {
        "split": asked.split, "strategy": name, "signature": asked.signature,
        "configuration": asked.settings["decoding"],
        "data_fingerprint": fingerprint, "precision": asked.settings["precision"], "shortlist": None,
        "sentences_per_second": 100.0,
        "scores": [{"name": s.name, "value": s.value, "signature": s.signature, "higher_is_better": s.higher_is_better}
                   for s in scores],
    }  # fmt: skip
    write_evaluation(
        folder.evaluation(asked.split, name, "0123"),
        facts=facts, sources=made.sources, references=made.references, hypotheses=outputs,
        nbest=[[{"text": text}] for text in outputs],
        segments=[{"source_length": 3, "reference_length": 3,
                   "statistics": {score.name: score.statistics[index] for score in scores}}
                  for index in range(len(outputs))],
    )  # fmt: skip


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[ComposedRow]]:
    """A place with a study all of whose trainings are done but one; nobody writes into it."""
    place = tmp_path_factory.mktemp("place")
    composed = compose(read_study(write_study(place)), place / "outputs")
    for each in composed:
        for seed in each.jobs:
            if (each.row.name, seed) != ("plain[cell=lstm]", 3):
                write_run(each, seed)
    return place, composed
