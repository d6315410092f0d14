"""Planning and running a small study with an engine that trains in this process."""

import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from s2s_lab.faults import RequestError
from s2s_lab.records.run_folder import find_runs
from s2s_lab.records.study_file import read_study
from s2s_lab.sweeps.engine_settings import EngineSettings
from s2s_lab.sweeps.run_jobs import run_jobs
from tests.study.conftest import STUDY, compose, write_run, write_study
from tests.study.fake_engine import FakeEngine
from tests.study.test_report import study

ONE = """
title: One
seeds: [1]
base: {data: reverse, data.size: 60, debug: tiny, trainer.max_steps: 4, trainer.validate_every: 2,
       trainer.validation_sentences: 6, trainer.log_every: 1, trainer.num_threads: 1, logger: csv, callbacks: quiet}
evaluations:
  greedy: {decoding: greedy, attention_sentences: 0}
rows:
  first: {set: {model: gru}}
  same: {set: {model: gru, cell: gru}, evaluations: [greedy]}
"""


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Takes the place of the engine of sweeps."""
    made = FakeEngine()
    monkeypatch.setattr("s2s_lab.sweeps.engine.Engine", lambda settings, **_: made)
    return made


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())  # wherever the terminal breaks its lines


def test_a_plan_tells_what_is_done_and_what_is_left(
    finished: tuple, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study(monkeypatch, finished[0], "plan", "experiments/toy", "hydra.launcher.jobs_at_once=1")
    shown = told(capsys)
    assert "toy: 8 jobs in 3 rows: 7 done, 1 to start; about 62 s, 1 at a time; 1 open row" in shown  # mean of 61, 62
    assert "claim cells: waits for plain[cell=lstm]" in shown and "claim solved: all its rows are done" in shown
    assert "open: later needs the option model=nothing_yet (not yet: model=nothing_yet: there is no such" in shown
    study(monkeypatch, finished[0], "plan", "experiments/toy", "--row", "plain", "--seed", "3")
    assert "toy: 2 jobs in 2 rows: 1 done" in told(capsys)


def test_every_status_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    composed = {each.row.name: each for each in compose(read_study(write_study(tmp_path)), tmp_path / "outputs")}
    plain = composed["plain[cell=gru]"]
    write_run(plain, 1, evaluations=["greedy"])
    write_run(plain, 2, status="interrupted")
    write_run(plain, 3, status="failed")
    running = write_run(composed["attention"], 1, status="running")
    code = (
        "import sys, s2s_lab.records.run_folder as r\nwith r.RunFolder(sys.argv[1]).held(): print(1, flush=1); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(running.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline()
        study(monkeypatch, tmp_path, "run", "experiments/toy", "--dry")
        holder.communicate(b"\n")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("toy: 8 jobs in 3 rows: 0 done, 1 running, 7 to start")
    assert lines[1].split()[:4] == ["running", "attention", "seed", "1"]  # it is waited for
    lines = lines[1:]
    assert [line.split("  ")[0].strip() for line in lines[1:]][:3] == ["to do", "unevaluated", "to do"]
    labels = [line[12:].strip().rpartition("  ")[0] for line in lines[1:]]
    assert labels[0] == "attention seed 2"  # priority 10 before 20
    assert labels[1:3] == ["plain[cell=gru] seed 1", "plain[cell=lstm] seed 1"]  # first seeds before second ones
    assert next(line for line in lines if line.startswith("interrupted")).split("  ")[1].strip() == labels[3]
    assert not (tmp_path / "experiments/toy/results.json").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plan", "experiments/toy", "--row", "plian"], "did you mean plain?"),
        (["plan", "experiments/toy", "--seed", "9"], "--seed 9: no row has this seed"),
        (["plan", "experiments/toy", "trainer.max_steps=3"], "belongs into study.yaml"),
        (["plan", "experiments/toy", "name=x"], "name=x"),
        (["plan", "experiments/toy", "--dry"], "--dry belongs to s2s-study run"),
        (["report", "experiments/toy", "--row", "plain"], "a report is about the whole study"),
        (["run", "experiments/toy", "--limit-minutes", "-1"], "--limit-minutes -1"),
        (["plan", "experiments/none"], "experiments/none"),
    ],
)
def test_wrong_requests_are_told_in_one_line(
    words: list[str], message: str, finished: tuple, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    study(monkeypatch, finished[0], *words, code=2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error


def test_a_row_that_cannot_be_composed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_study(tmp_path, ONE.replace("cell: gru}", "encoder.num_layer: 2}"))
    study(monkeypatch, tmp_path, "plan", "experiments/toy", code=2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "row same: unknown key encoder.num_layer" in error


def test_a_study_runs_to_its_end_once(
    tmp_path: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two rows with the same configuration share a training; a second run finds all done, with or without outputs."""
    write_study(tmp_path, ONE)
    study(monkeypatch, tmp_path, "run", "experiments/toy")
    assert engine.started == ["first seed 1"]
    assert len(find_runs([tmp_path / "outputs"])) == 1
    page = (tmp_path / "experiments/toy/README.md").read_text()
    assert "2 of 2 trainings done" in page and "| `same` | 1 of 1 |" in page
    study(monkeypatch, tmp_path, "run", "experiments/toy")
    study(monkeypatch, tmp_path, "run", "experiments/toy", "paths.outputs=elsewhere", "logger=csv")
    assert engine.started == ["first seed 1"] and "2 done, 0 to start" in told(capsys)
    write_study(tmp_path, ONE.replace("rows:", "  beam: {decoding: beam, attention_sentences: 0}\nrows:"))
    study(monkeypatch, tmp_path, "run", "experiments/toy")
    assert engine.started == ["first seed 1"] * 2  # for its new evaluation alone
    assert len(find_runs([tmp_path / "outputs"])) == 1
    assert "### beam: test" in (tmp_path / "experiments/toy/README.md").read_text()


def test_failed_jobs_end_with_exit_code_1_after_the_report(
    tmp_path: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.failing = ["first seed 1"]
    write_study(tmp_path, ONE)
    study(monkeypatch, tmp_path, "run", "experiments/toy", code=1)
    error = capsys.readouterr().err
    assert "1 of 1 jobs failed; one of them: first seed 1: the loss is not a number" in error
    assert (tmp_path / "experiments/toy/README.md").is_file()


def test_an_interrupted_study_keeps_what_was_measured(
    tmp_path: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_study(tmp_path, ONE.replace("cell: gru}", "cell: lstm}"))
    wait = engine.wait

    def interrupted(seconds: float) -> list[Any]:
        if len(engine.started) > 1:
            raise KeyboardInterrupt
        return wait(seconds)

    monkeypatch.setattr(engine, "wait", interrupted)
    study(monkeypatch, tmp_path, "run", "experiments/toy", code=130)
    (entry,) = json.loads((tmp_path / "experiments/toy/results.json").read_text())["jobs"]
    assert entry["label"] == engine.started[0] and entry["evaluations"]["greedy"]["scores"]
    assert "s2s-study: interrupted" in capsys.readouterr().err


def test_threads_are_shared_as_among_all_trainings_of_a_study_whatever_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, made = [], FakeEngine()

    def engine(settings: EngineSettings, *, share_among: int, **_: Any) -> FakeEngine:
        asked.append(settings.cores_of_a_job(share_among))
        return made

    monkeypatch.setattr("s2s_lab.sweeps.engine.Engine", engine)
    monkeypatch.setattr(EngineSettings, "all_cores", 12)
    write_study(tmp_path, ONE.replace("cell: gru}", "cell: lstm}").replace("seeds: [1]", "seeds: [1, 2]"))
    study(monkeypatch, tmp_path, "run", "experiments/toy", "--row", "first", "--seed", "1")
    study(monkeypatch, tmp_path, "run", "experiments/toy")
    assert len(made.started) == 4 and asked == [3, 3]


class _Clock:
    """Ten seconds pass between any two looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 10
        return self.now


class _Job:
    def __init__(self, label: str) -> None:
        self.label = self.hash = label


class _Slow(FakeEngine):
    """Jobs end only when they are stopped."""

    def wait(self, seconds: float) -> list[Any]:
        ended = [pair for pair in self.waiting if pair[0].label in self.stopped]
        self.waiting = [pair for pair in self.waiting if pair not in ended]
        return [types.SimpleNamespace(job=job, status="stopped") for job, _ in ended]


def test_when_the_time_is_over_nothing_is_started_and_what_runs_is_stopped_once() -> None:
    engine = _Slow(room=2)
    outcomes = run_jobs(engine, [_Job(label) for label in "abcd"], seconds=45, clock=_Clock())  # type: ignore
    assert engine.started == ["a", "b"] and engine.stopped == ["a", "b"]
    assert [outcome.job.label for outcome in outcomes] == ["a", "b"]


def test_a_claims_misspelt_score_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    text = STUDY.replace("score: exact_match, source: section 3", "score: exactmatch, source: section 3")
    with pytest.raises(RequestError, match=r"claims\.helps\.score: exactmatch: did you mean exact_match\?"):
        compose(read_study(write_study(tmp_path, text)), tmp_path / "outputs")
