"""What W&B is told of a job, read back from the files of an offline run."""

from pathlib import Path
from typing import Any

import pytest
import wandb

from s2s_lab import job
from s2s_lab.assemble.configuration import compose_each, plain
from s2s_lab.assemble.grid_tracker import log_tables
from s2s_lab.records.evaluation import read_evaluation
from s2s_lab.records.run_folder import RunFolder
from s2s_lab.training.loggers.wandb_run import MOST_TAG, tags_of
from tests.assemble.test_experiment import curve, frozen
from tests.end_to_end.wandb_file import read_wandb


def test_a_job_is_one_run_of_its_study_tagged_with_its_row(tmp_path: Path) -> None:
    row = "overall_best[dropout=0.1,cell=gru]"
    made = frozen(tmp_path, "experiment_name=studies/toy", f"name='{row}'", "model=gru", logger="wandb")
    made.plan_evaluations([*planned("decoding=greedy", "label=short"), *planned("decoding=beam")])
    job.main([str(made.configuration_file)])
    wandb.teardown()  # its service writes the end of the file when it ends
    (file,) = made.path.glob("wandb/offline-run-*/*.wandb")
    found, facts = read_wandb(file), made.read()
    assert found.run_ids == {facts["tracker"]["wandb"]}
    assert (found.group, found.job_type, found.tags) == ("studies/toy", "train", [row, "study"])
    best = facts["best"]
    assert found.summary[f"best/{best['metric']}"] == best["value"]
    for name in ("seed", "parameters", "seconds", "steps", "tokens_per_second", "best"):
        assert found.summary[name] == facts[name], name
    for name in ("validation/loss", "validation/exact_match"):
        assert found.summary[name] == pytest.approx(curve(made, name)[-1]), name
    evaluations = [read_evaluation(place).facts for place in made.evaluation_folders()]
    named = {"greedy": "test/short", "beam": "test/beam"}
    assert {facts["strategy"] for facts in evaluations} == set(named)
    for facts in evaluations:
        for score in facts["scores"]:
            assert found.summary[f"{named[facts['strategy']]}/{score['name']}"] == pytest.approx(score["value"])


def planned(*words: str) -> list[dict[str, Any]]:
    """One evaluation of these words, as a study plans it."""
    composed = compose_each("evaluate", [["runs=[it]", *words]])
    return [{key: value for key, value in plain(each).items() if key != "runs"} for each in composed]


def test_evaluations_after_the_training_go_into_the_same_run(tmp_path: Path) -> None:
    made = frozen(tmp_path, "model=gru", logger="wandb")
    job.main([str(made.configuration_file)])
    made.plan_evaluations(planned("decoding=greedy", "label=short"))
    job.main([str(made.configuration_file), "--resume"])
    check_test_scores(made)


@pytest.mark.slow
def test_evaluations_after_a_training_of_two_ranks_go_into_the_same_run(tmp_path: Path) -> None:
    made = frozen(tmp_path, "model=gru", "trainer.devices=2", logger="wandb")
    made.plan_evaluations(planned("decoding=greedy", "label=short"))
    job.main([str(made.configuration_file)])
    check_test_scores(made)


def check_test_scores(made: RunFolder) -> None:
    """Two files of one W&B run: that of the training, then that of the scores."""
    wandb.teardown()
    first, second = (read_wandb(file) for file in sorted(made.path.glob("wandb/offline-run-*/*.wandb"), key=written))
    assert first.run_ids == second.run_ids == {made.read()["tracker"]["wandb"]}
    assert first.config == second.config and first.tags == second.tags
    (evaluation,) = map(read_evaluation, made.evaluation_folders())
    scores = {f"test/short/{score['name']}": score["value"] for score in evaluation.facts["scores"]}
    assert "test/short/exact_match" in scores and not set(scores) & set(first.summary)
    assert {name: second.summary[name] for name in scores} == pytest.approx(scores)


def written(file: Path) -> int:
    return file.stat().st_mtime_ns


@pytest.mark.parametrize("name", ["gru", "g" * MOST_TAG, "ü" * (MOST_TAG + 1), "x" * 500])
def test_a_tag_is_as_long_as_wandb_takes(name: str) -> None:
    tags = tags_of(name, "demo")
    assert tags == [name] or (len(tags[0]) == MOST_TAG and tags[0].startswith(name[:50]))
    assert wandb.Settings(run_tags=tuple(tags)).run_tags == tuple(tags)
    assert tags_of(name, "studies/toy") == [*tags, "study"]


def test_long_names_that_differ_at_their_end_have_different_tags() -> None:
    rows = [f"{'encoder.dropout=0.5,' * 5}seed={number}" for number in range(3)]
    assert len({tags_of(row, "demo")[0] for row in rows}) == 3
    assert tags_of(None, "demo") == []


def test_the_rows_of_a_grid_are_runs_of_one_group(tmp_path: Path) -> None:
    rows = [
        {"split": "test", "run": "gru", "seed": 1, "strategy": strategy, "signature": f"{strategy}|x", "folder": "/a/b",
         "bleu": 30.0 + place, "bleu_low": None, "search_errors": 0.25, "best": place == 1, "on_front": True}
        for place, strategy in enumerate(("greedy", "beam (size 5)"))
    ]  # fmt: skip
    ids = log_tables(rows, folder=tmp_path, mode="offline", project="p", entity=None)
    wandb.teardown()
    found = {file.stem.removeprefix("run-"): read_wandb(file) for file in tmp_path.glob("wandb/offline-run-*/*.wandb")}
    assert set(found) == set(ids) and len(ids) == 2
    for run_id, row in zip(ids, rows, strict=True):
        run = found[run_id]
        assert (run.run_ids, run.job_type, run.tags) == ({run_id}, "evaluate", ["gru", row["strategy"]])
        assert run.group == found[ids[0]].group != ""
        assert {key: run.config[key] for key in ("run", "seed", "strategy", "signature")} == {
            key: row[key] for key in ("run", "seed", "strategy", "signature")
        }
        assert run.summary["bleu"] == row["bleu"] and run.summary["best"] == row["best"]
        assert not {"folder", "bleu_low"} & set(run.summary)
